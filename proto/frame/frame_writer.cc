#include "proto/frame/frame_writer.h"

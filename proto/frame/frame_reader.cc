#include "proto/frame/frame_reader.h"

#include "augment/render/renderer.h"

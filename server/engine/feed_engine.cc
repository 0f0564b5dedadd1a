#include "server/engine/feed_engine.h"

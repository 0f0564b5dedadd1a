#include "augment/pool/pool.h"

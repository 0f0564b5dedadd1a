#include "augment/batch/batch_maker.h"

#include "augment/guess/torch_runtime.h"

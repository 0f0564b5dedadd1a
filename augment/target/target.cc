#include "augment/target/target.h"

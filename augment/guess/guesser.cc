#include "augment/guess/guesser.h"

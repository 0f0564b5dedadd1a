#include "augment/plan/planner.h"

#include "augment/recipe/recipe.h"

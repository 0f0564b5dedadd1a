#include "client/train/train_program.h"

int main(int argc, char** argv) { return mixfeed::RunMain(argc, argv, mixfeed::RunTrain); }

#include "client/cli/cli.h"

int main(int argc, char** argv) { return mixfeed::RunMain(argc, argv, mixfeed::RunCli); }

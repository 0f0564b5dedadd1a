#include <iterator>

#include "client/cli/command.h"

namespace mixfeed {

std::unique_ptr<Command> MakeInfo();
std::unique_ptr<Command> MakeRecipes();
std::unique_ptr<Command> MakeOpen();
std::unique_ptr<Command> MakePull();
std::unique_ptr<Command> MakePeek();
std::unique_ptr<Command> MakeExplain();
std::unique_ptr<Command> MakeSplit();
std::unique_ptr<Command> MakeBench();
std::unique_ptr<Command> MakeLambda();
std::unique_ptr<Command> MakeSharpen();
std::unique_ptr<Command> MakeVicinity();
std::unique_ptr<Command> MakeModelRegister();
std::unique_ptr<Command> MakeModelList();

namespace {

// How to add one: derive from Command in a file of its own, take the flags it needs from flags.h,
// print JSON with json.h when --json is set, and add a line with its examples here.
constexpr CommandEntry kCommands[] = {
    {"info", "What a server has: device, datasets, models, open feeds",
     "  mixfeed info\n"
     "  mixfeed info --server trainer-7:50051 --json | jq .models",
     MakeInfo},
    {"recipes", "List the recipes; show one whole, or what differs between two",
     "  mixfeed recipes\n"
     "  mixfeed recipes show mixmatch            # every field, its meaning, range and source\n"
     "  mixfeed recipes diff mixmatch mixmatch/yu1ut\n"
     "  mixfeed recipes show cutmix --json | jq '.fields[] | select(.read)'",
     MakeRecipes},
    {"open", "Open a feed and show its resolved spec",
     "  mixfeed open --recipe mixup --batch 128\n"
     "  mixfeed open --recipe mixmatch --labels 4000 --json | jq .spec >spec.json\n"
     "  mixfeed open --spec spec.json --seed 2 --run trial-2",
     MakeOpen},
    {"pull", "Receive batches; print one line each and the rate at the end",
     "  mixfeed pull --recipe mixup --steps 100\n"
     "  mixfeed pull --recipe mixmatch --labels 250 --run a --rank 0 --world 2 --json\n"
     "  mixfeed pull --recipe eval --format uint8 --steps 0    # the whole test set",
     MakePull},
    {"peek", "Save a picture of a batch: mixed images, their sources, lambda, labels",
     "  mixfeed peek --recipe mixup --step 3 --out batch.png\n"
     "  mixfeed peek --recipe mixmatch --run a --out batch.png --rows 12 --scale 4",
     MakePeek},
    {"explain", "Show the plan of a batch: for every row its sample, view, partner and lambda",
     "  mixfeed explain --recipe mixmatch --labels 250 --step 7\n"
     "  mixfeed explain --recipe mixup --step 7 --json | jq '.rows[0]'",
     MakeExplain},
    {"split", "Print which images are labelled, unlabelled and held out",
     "  mixfeed split --recipe mixmatch --labels 250 --split-seed 1\n"
     "  mixfeed split --labels 4000 --validation 5000 --out split.txt",
     MakeSplit},
    {"bench", "Measure finished batches against the wire and the guess model alone",
     "  mixfeed bench --recipe mixup --batch 64 --format float32     # starts a server itself\n"
     "  mixfeed bench --recipe mixmatch --format uint8 --data cifar=/data/cifar-10-batches-bin\n"
     "  mixfeed bench --server trainer-7:50051 --recipe mixup --json",
     MakeBench},
    {"lambda", "Draw the law of a recipe's lambda: histogram, exact density, quantiles",
     "  mixfeed lambda --recipe mixmatch --out lambda.png\n"
     "  mixfeed lambda --alpha 0.2                   # mixup as ImageNet takes it\n"
     "  mixfeed lambda --law uniform --low 0.5 --json | jq .drawn.quantiles\n"
     "What to look for: with a small alpha nearly all lambdas lie at the ends, and images are "
     "hardly\n"
     "mixed; with a large one all lie about 1/2. The right panel is MixMatch's max(lambda, 1 -\n"
     "lambda): the row's own share is never the smaller one.",
     MakeLambda},
    {"sharpen", "Draw what temperature does to a guess: p^(1/T) / sum p^(1/T)",
     "  mixfeed sharpen --probabilities 0.5,0.3,0.2 --out sharpen.png\n"
     "  mixfeed sharpen --classes 10 --temperature 1,0.5,0.1\n"
     "  mixfeed sharpen --probabilities 0.4,0.35,0.25 --json | jq '.sharpened[].entropy_bits'\n"
     "What to look for: T below 1 makes the largest class larger and the entropy smaller, T above "
     "1\n"
     "flattens, T near 0 is the largest class alone. MixMatch takes 0.5: two classes that are "
     "close\n"
     "stay close, and small ones nearly vanish.",
     MakeSharpen},
    {"vicinity", "Draw what rules of mixing make of a toy data set, and how far from the truth",
     "  mixfeed vicinity --out vicinity.png\n"
     "  mixfeed vicinity --rules mixup,label-preserving --point 3 --alpha 0.5\n"
     "  mixfeed vicinity --labelled few --rules none,mixup,label-preserving\n"
     "  mixfeed vicinity --rules mixup --distance-alpha 0.3 --json | jq .rules\n"
     "What to look for: mixup fills the space between the classes, where there is no data; "
     "same-class\n"
     "and k-nearest stay near the data; label-preserving goes where mixup does with hard labels, "
     "and\n"
     "alone learns from unlabelled partners. JS is 0 bits for the truth, 1 where nothing overlaps.",
     MakeVicinity},
    {"model register", "Register a guess model, or a new version of one",
     "  mixfeed model register small --kind resnet-small\n"
     "  mixfeed model register wrn --kind wrn-28-2 --file weights.pt --update 1000\n"
     "  mixfeed model register mine --kind torchscript --file scripted.pt --normalise cifar10",
     MakeModelRegister},
    {"model list", "List the registered models",
     "  mixfeed model list\n"
     "  mixfeed model list --json | jq '.models[].digest'",
     MakeModelList},
};

}  // namespace

std::span<const CommandEntry> Commands() { return kCommands; }

}  // namespace mixfeed

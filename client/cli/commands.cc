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
std::unique_ptr<Command> MakeReport();
std::unique_ptr<Command> MakeBench();
std::unique_ptr<Command> MakeLambda();
std::unique_ptr<Command> MakeSharpen();
std::unique_ptr<Command> MakeVicinity();
std::unique_ptr<Command> MakeFork();
std::unique_ptr<Command> MakeModelPush();
std::unique_ptr<Command> MakeModelRegister();
std::unique_ptr<Command> MakeModelList();
std::unique_ptr<Command> MakeModelStats();
std::unique_ptr<Command> MakeModelWatch();

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
     "  mixfeed recipes diff mixup --set recipe.mix.cutmix.probability=1   # what an edit changes\n"
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
     "  mixfeed pull --recipe eval --format uint8 --steps 0    # the whole test set\n"
     "  mixfeed pull --recipe mixmatch --labels 250 --unmixed    # what a trainer's own guess "
     "begins "
     "with",
     MakePull},
    {"peek", "Save a picture of a batch: mixed images, their sources, lambda, labels",
     "  mixfeed peek --recipe cutmix --out batch.png\n"
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
    {"report", "Print what a paper's appendix needs of a run: spec, seeds, checksums, builds, ages",
     "  mixfeed report --run trial-2 >appendix.txt\n"
     "  mixfeed report --feed 0123456789abcdef0123456789abcdef --json | jq .guesses.staleness\n"
     "Guesses and batches are counted since the server opened the feed; those of a replay are no "
     "guesses.",
     MakeReport},
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
     "lambda): the row's own share is never the smaller one. Of more than two images it is the\n"
     "largest of the weights.",
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
    {"fork", "Branch a run: a new one that shares the guesses up to a step",
     "  mixfeed fork 0123456789abcdef0123456789abcdef --step 2000 --run lower-lr\n"
     "The new run is opened with the feed's spec and its own name: the trainer that goes on from "
     "a\n"
     "checkpoint at update 2000 gets the same batches up to there.",
     MakeFork},
    {"model register", "Register a guess model, or a new version of one",
     "  mixfeed model register small --kind resnet-small\n"
     "  mixfeed model register wrn --kind wrn-28-2 --file weights.pt --update 1000\n"
     "  mixfeed model register mine --kind torchscript --file scripted.pt --normalise cifar10",
     MakeModelRegister},
    {"model push",
     "Replace a model's weights by those of a file, as a trainer does while it trains",
     "  mixfeed model push small --file step120.safetensors --update 120\n"
     "  mixfeed model push small --file head.safetensors --update 121 --partial\n"
     "What guesses from then on says each batch's header: version, update, weights' digest.",
     MakeModelPush},
    {"model list", "List the registered models",
     "  mixfeed model list\n"
     "  mixfeed model list --json | jq '.models[].digest'",
     MakeModelList},
    {"model stats", "Show what a feed's guesses look like, by version of the model",
     "  mixfeed model stats --run trial-2\n"
     "  mixfeed model stats --validate 0 --png guesses.png    # takes no time of the model's\n"
     "  mixfeed model stats --json | jq '.spans[] | [.update, .confidence, .accuracy]'\n"
     "Each line is a version; old ones are taken together. A guess is the mean of an image's K "
     "views,\n"
     "before it is sharpened; those that this server has made since it opened the feed are "
     "counted.\n"
     "  conf     mean of the largest probability     agree  images whose views have one most "
     "likely class\n"
     "  acc      guesses that are the hidden label   nats   mean entropy\n"
     "  classes  exp(entropy of the mean guess)      prior  total variation from the labelled "
     "classes\n"
     "  age      of the weights, in updates          v-acc  accuracy on the validation slice\n"
     "  calib    expected calibration error there    drift  change since the version tried before\n"
     "What to look for: agree and acc rise, conf rises no faster than acc, calib stays small, and\n"
     "classes stays near what the labelled images have: where it falls below half of that, the "
     "guesses\n"
     "collapse, and a warning says so here and in the server's log. The validation slice is what "
     "the\n"
     "split holds out (--validation of the feed); without one the last three are empty.",
     MakeModelStats},
    {"model watch", "Watch a feed's guesses while it trains",
     "  mixfeed model watch --run trial-2\n"
     "  mixfeed model watch --interval 60 --png guesses.png >>guesses.log\n"
     "  mixfeed model watch --count 1\n"
     "On a terminal the newest guesses are drawn as bars, with the versions before them as small\n"
     "curves; otherwise each look prints a line. `mixfeed model stats --help` says what the "
     "numbers are.",
     MakeModelWatch},
};

}  // namespace

std::span<const CommandEntry> Commands() { return kCommands; }

}  // namespace mixfeed

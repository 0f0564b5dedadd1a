#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace mixfeed {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<ParsedFlags> Parse(std::vector<const char*> arguments, bool with_data = true) {
  arguments.insert(arguments.begin(), "mixfeed-server");
  if (with_data) arguments.insert(arguments.end(), {"--data", "generated"});
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ParseFlagsTest, DefaultsAreThoseOfTheStruct) {
  const auto flags = Parse({});
  ASSERT_TRUE(flags.ok()) << flags.status();
  const ServerOptions defaults;
  EXPECT_EQ(flags->options.listen, "127.0.0.1:50051");
  EXPECT_EQ(flags->options.device, defaults.device);
  EXPECT_EQ(flags->options.max_slot_bytes, defaults.max_slot_bytes);
  EXPECT_FALSE(flags->options.reveal_hidden_labels);
  EXPECT_FALSE(flags->text.has_value());
}

TEST(ParseFlagsTest, EveryFlagReachesItsField) {
  const auto flags = Parse({"--listen",
                            "[::1]:0",
                            "--metrics",
                            "[::1]:9",
                            "--data",
                            "a=/x",
                            "--device",
                            "cuda:1",
                            "--threads",
                            "3",
                            "--guess-threads",
                            "4",
                            "--state-dir",
                            "/s",
                            "--store",
                            "redis://h:6379/1",
                            "--cache-dir",
                            "/c",
                            "--model",
                            "m=resnet-small",
                            "--model",
                            "n=/net.pt",
                            "--tls-cert",
                            "c",
                            "--tls-key",
                            "k",
                            "--tls-client-ca",
                            "ca",
                            "--insecure",
                            "--allow-register",
                            "--max-slot-bytes",
                            "2000000",
                            "--max-pool-bytes",
                            "3000000",
                            "--max-credits",
                            "5",
                            "--max-prefetch",
                            "6",
                            "--max-feeds",
                            "7",
                            "--idle-limit-ms",
                            "8",
                            "--drain-ms",
                            "9",
                            "--max-archive-bytes",
                            "10",
                            "--trial-deadline-ms",
                            "12",
                            "--journal-max-steps",
                            "11",
                            "--journal-max-bytes",
                            "4000000",
                            "--keep-versions",
                            "13",
                            "--keep-version-bytes",
                            "14",
                            "--weights-wait-ms",
                            "15",
                            "--reveal-hidden-labels"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  const ServerOptions& o = flags->options;
  EXPECT_EQ(o.listen, "[::1]:0");
  EXPECT_EQ(o.metrics, "[::1]:9");
  EXPECT_THAT(o.data, ElementsAre("a=/x", "generated"));
  EXPECT_EQ(o.device, "cuda:1");
  EXPECT_EQ(o.threads, 3);
  EXPECT_EQ(o.guess_threads, 4);
  EXPECT_EQ(o.state_dir, "/s");
  EXPECT_EQ(o.cache_dir, "/c");
  EXPECT_THAT(o.models, ElementsAre("m=resnet-small", "n=/net.pt"));
  EXPECT_EQ(o.tls_cert, "c");
  EXPECT_EQ(o.tls_key, "k");
  EXPECT_EQ(o.store, "redis://h:6379/1");
  EXPECT_EQ(o.tls_client_ca, "ca");
  EXPECT_TRUE(o.insecure);
  EXPECT_TRUE(o.allow_register);
  EXPECT_EQ(o.max_slot_bytes, 2'000'000);
  EXPECT_EQ(o.max_pool_bytes, 3'000'000);
  EXPECT_EQ(o.max_credits, 5);
  EXPECT_EQ(o.max_prefetch, 6);
  EXPECT_EQ(o.max_feeds, 7);
  EXPECT_EQ(o.idle_limit_ms, 8);
  EXPECT_EQ(o.drain_ms, 9);
  EXPECT_EQ(o.max_archive_bytes, 10);
  EXPECT_EQ(o.trial_deadline_ms, 12);
  EXPECT_EQ(o.journal_max_steps, 11);
  EXPECT_EQ(o.journal_max_bytes, 4'000'000);
  EXPECT_EQ(o.keep_versions, 13);
  EXPECT_EQ(o.keep_version_bytes, 14);
  EXPECT_EQ(o.weights_wait_ms, 15);
  EXPECT_TRUE(o.reveal_hidden_labels);
}

TEST(ParseFlagsTest, HelpTeachesEveryFlagAndAsksForNoData) {
  const auto flags = Parse({"--help"}, /*with_data=*/false);
  ASSERT_TRUE(flags.ok()) << flags.status();
  ASSERT_TRUE(flags->text.has_value());
  for (const char* flag : {"--listen",
                           "--metrics",
                           "--data",
                           "--device",
                           "--threads",
                           "--guess-threads",
                           "--state-dir",
                           "--store",
                           "--cache-dir",
                           "--model",
                           "--tls-cert",
                           "--tls-key",
                           "--tls-client-ca",
                           "--insecure",
                           "--allow-register",
                           "--max-slot-bytes",
                           "--max-pool-bytes",
                           "--max-credits",
                           "--max-prefetch",
                           "--max-feeds",
                           "--idle-limit-ms",
                           "--drain-ms",
                           "--max-archive-bytes",
                           "--trial-deadline-ms",
                           "--journal-max-steps",
                           "--journal-max-bytes",
                           "--keep-versions",
                           "--keep-version-bytes",
                           "--weights-wait-ms",
                           "--reveal-hidden-labels",
                           "mixfeed-server --data generated"}) {
    EXPECT_THAT(*flags->text, HasSubstr(flag));
  }
}

TEST(ParseFlagsTest, VersionIsPrinted) {
  const auto flags = Parse({"--version"}, /*with_data=*/false);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_THAT(flags->text.value_or(""), HasSubstr("mixfeed-server 0."));
}

struct BadFlags {
  std::vector<const char*> arguments;
  const char* message;  // a part of it
};

TEST(ParseFlagsTest, ErrorsNameFlagValueAndWhatIsAllowed) {
  const BadFlags bad[] = {
      {{"--listen", "nowhere"}, "--listen is \"nowhere\"; allowed: HOST:PORT"},
      {{"--listen", ":50051"}, "--listen is \":50051\""},
      {{"--listen", "::1:50051"}, "--listen is \"::1:50051\""},
      {{"--listen", "127.0.0.1:65536"}, "port 0 to 65535"},
      {{"--listen", "127.0.0.1:-1"}, "--listen is"},
      {{"--listen", "127.0.0.1:"}, "--listen is"},
      {{"--listen", "0.0.0.0:50051"}, "can be reached from other machines"},
      {{"--listen", "example.org:1"}, "--insecure to speak plain text"},
      {{"--metrics", "9464"}, "--metrics is \"9464\"; allowed: HOST:PORT"},
      {{"--metrics", "127.0.0.1:65536"}, "port 0 to 65535"},
      {{"--metrics", "0.0.0.0:9464"}, "--metrics 0.0.0.0:9464 can be reached from other machines"},
      {{"--tls-cert", "c"}, "--tls-cert and --tls-key belong together"},
      {{"--tls-key", "k"}, "--tls-cert and --tls-key belong together"},
      {{"--tls-client-ca", "ca"}, "--tls-client-ca needs"},
      {{"--threads", "-1"}, "--threads is -1; allowed: 0 to 1024"},
      {{"--threads", "many"}, "--threads"},
      {{"--guess-threads", "2000"}, "--guess-threads is 2000"},
      {{"--max-slot-bytes", "1"}, "--max-slot-bytes is 1"},
      {{"--max-pool-bytes", "1"}, "--max-pool-bytes is 1"},
      {{"--max-credits", "0"}, "--max-credits is 0"},
      {{"--max-prefetch", "0"}, "--max-prefetch is 0"},
      {{"--max-feeds", "0"}, "--max-feeds is 0"},
      {{"--idle-limit-ms", "0"}, "--idle-limit-ms is 0"},
      {{"--idle-limit-ms", "31536000001"},
       "--idle-limit-ms is 31536000001; allowed: 1 to 31536000000"},
      {{"--drain-ms", "-1"}, "--drain-ms is -1"},
      {{"--drain-ms", "31536000001"}, "--drain-ms is 31536000001; allowed: 0 to 31536000000"},
      {{"--max-archive-bytes", "-1"}, "--max-archive-bytes is -1"},
      {{"--trial-deadline-ms", "0"}, "--trial-deadline-ms is 0"},
      {{"--journal-max-steps", "-1"}, "--journal-max-steps is -1"},
      {{"--journal-max-bytes", "-1"}, "--journal-max-bytes is -1"},
      {{"--journal-max-bytes", "1048575"}, "--journal-max-bytes is 1048575; allowed: 0 (no limit)"},
      {{"--keep-versions", "0"}, "--keep-versions is 0"},
      {{"--keep-versions", "9223372036854775807"}, "allowed: 1 to 9223372036854775806"},
      {{"--keep-version-bytes", "-1"}, "--keep-version-bytes is -1"},
      {{"--weights-wait-ms", "0"}, "--weights-wait-ms is 0"},
      {{"--model", "resnet-small"}, "--model is \"resnet-small\"; allowed: NAME=KIND"},
      {{"--model", "=resnet-small"}, "--model is"},
      {{"--model", "a="}, "--model is"},
      {{"--store", "localhost:6379"}, "--store is \"localhost:6379\"; allowed: redis://"},
      {{"--device", "gpu"}, "--device is \"gpu\"; allowed: auto, cpu, cuda, cuda:N"},
      {{"--device", "cuda:x"}, "--device is"},
      {{"--frobnicate"}, "--frobnicate"},
      {{"--data", "a", "b"}, "not understood: b"},
      {{"--model", "m=resnet-small", "n=resnet-small"}, "not understood: n=resnet-small"},
  };
  for (const BadFlags& flags : bad) {
    const absl::Status status = Parse(flags.arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << flags.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(flags.message));
  }
}

TEST(ParseFlagsTest, TheStoreMayStandInTheEnvironment) {
  ASSERT_EQ(setenv("MIXFEED_STORE", "redis://:secret@h:1", 1), 0);
  EXPECT_EQ(Parse({})->options.store, "redis://:secret@h:1");
  EXPECT_EQ(Parse({"--store", "redis://h:2"})->options.store, "redis://h:2");
  const auto help = Parse({"--help"});
  EXPECT_THAT(*help->text, AllOf(HasSubstr("MIXFEED_STORE"), Not(HasSubstr("secret"))));
  unsetenv("MIXFEED_STORE");
}

TEST(ParseFlagsTest, DataIsNeeded) {
  const absl::Status status = Parse({}, /*with_data=*/false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--data"));
}

TEST(ParseFlagsTest, AMistypedFlagIsNamedAndNotTheOneThatIsMissing) {
  const absl::Status status = Parse({"--dta", "generated"}, /*with_data=*/false).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("not understood: --dta generated"));
}

TEST(ParseFlagsTest, PublicAddressTakesTlsOrInsecure) {
  EXPECT_TRUE(Parse({"--listen", "0.0.0.0:1", "--insecure"}).ok());
  EXPECT_TRUE(Parse({"--metrics", "0.0.0.0:1", "--insecure"}).ok());
  EXPECT_TRUE(Parse({"--listen", "[::]:1", "--tls-cert", "c", "--tls-key", "k"}).ok());
}

TEST(IsLoopbackTest, KnowsTheAddressesOfThisMachine) {
  for (const char* own : {"127.0.0.1:0", "127.1.2.3:9", "localhost:1", "[::1]:5"}) {
    EXPECT_TRUE(IsLoopback(own)) << own;
  }
  for (const char* open : {"0.0.0.0:0", "[::]:0", "10.0.0.1:1", "example.org:2", "nonsense",
                           "127.evil.example.org:1"}) {
    EXPECT_FALSE(IsLoopback(open)) << open;
  }
}

}  // namespace
}  // namespace mixfeed

# shellcheck shell=bash
# Everything in this folder, in an order in which it loads. LIB names the folder.

# shellcheck source=scripts/lib/common.sh
source "$LIB/common.sh"
# shellcheck source=scripts/lib/processes.sh
source "$LIB/processes.sh"
# shellcheck source=scripts/lib/ports.sh
source "$LIB/ports.sh"
# shellcheck source=scripts/lib/packages.sh
source "$LIB/packages.sh"
# shellcheck source=scripts/lib/swift.sh
source "$LIB/swift.sh"
# shellcheck source=scripts/lib/java.sh
source "$LIB/java.sh"
# shellcheck source=scripts/lib/python.sh
source "$LIB/python.sh"
# shellcheck source=scripts/lib/postgres.sh
source "$LIB/postgres.sh"
# shellcheck source=scripts/lib/redis.sh
source "$LIB/redis.sh"
# shellcheck source=scripts/lib/neo4j.sh
source "$LIB/neo4j.sh"
# shellcheck source=scripts/lib/weaviate.sh
source "$LIB/weaviate.sh"
# shellcheck source=scripts/lib/embedder.sh
source "$LIB/embedder.sh"
# shellcheck source=scripts/lib/stores.sh
source "$LIB/stores.sh"
# shellcheck source=scripts/lib/gateway.sh
source "$LIB/gateway.sh"
# shellcheck source=scripts/lib/examples.sh
source "$LIB/examples.sh"
# shellcheck source=scripts/lib/compose.sh
source "$LIB/compose.sh"
# shellcheck source=scripts/lib/results.sh
source "$LIB/results.sh"

# shellcheck shell=bash
# A real Neo4j Community server, assembled from its published Maven artifacts.

NEO4J_VERSION=5.26.31
NEO4J_LIBRARY_DIR=$CACHE_DIR/neo4j-$NEO4J_VERSION

install_neo4j() {
    install_java
    if [[ -d $NEO4J_LIBRARY_DIR ]]; then return; fi
    install_maven
    with_lock "$CACHE_DIR/neo4j.lock" fetch_neo4j
}

fetch_neo4j() {
    if [[ -d $NEO4J_LIBRARY_DIR ]]; then return; fi
    step "fetching Neo4j $NEO4J_VERSION (about 125 MB, some two minutes, once)"
    local partial=$NEO4J_LIBRARY_DIR.partial
    rm -rf "$partial"
    mkdir -p "$partial"
    cat >"$partial/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
 <groupId>fourfold</groupId><artifactId>neo4j</artifactId><version>1</version>
 <packaging>pom</packaging>
 <dependencies><dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId>
  <version>$NEO4J_VERSION</version></dependency></dependencies>
</project>
POM
    run_bound env --chdir="$partial" mvn --batch-mode --quiet dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory=lib \
        || die "Maven could not fetch Neo4j $NEO4J_VERSION" "check the network and run again"
    mv "$partial" "$NEO4J_LIBRARY_DIR"
}

# start_neo4j DATA_DIR HTTP_PORT BOLT_PORT
start_neo4j() {
    local home=$1 http_port=$2 bolt_port=$3
    mkdir -p "$home/conf"
    cat >"$home/conf/neo4j.conf" <<CONF
server.default_listen_address=127.0.0.1
server.http.enabled=true
server.http.listen_address=:$http_port
server.http.advertised_address=127.0.0.1:$http_port
server.bolt.listen_address=:$bolt_port
server.bolt.advertised_address=127.0.0.1:$bolt_port
server.http_enabled_modules=TRANSACTIONAL_ENDPOINTS,QUERY_API_ENDPOINTS
dbms.security.auth_enabled=false
dbms.usage_report.enabled=false
server.memory.pagecache.size=64m
db.tx_log.preallocate=false
db.lock.acquisition.timeout=10s
CONF
    start_process neo4j "$JAVA" -Xms256m -Xmx512m -XX:+UseG1GC \
        --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \
        --add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
        -Dio.netty.tryReflectionSetAccessible=true -Dlog4j2.disable.jmx=true \
        -cp "$NEO4J_LIBRARY_DIR/lib/*" org.neo4j.server.CommunityEntryPoint \
        --home-dir="$home" --config-dir="$home/conf" --console-mode
}

# Discovery answers before the database does, so this asks the database itself.
neo4j_answers() {
    local answer
    answer=$(curl --silent --fail --max-time 5 -H 'Content-Type: application/json' \
        -d '{"statement":"RETURN 1"}' "$1/db/neo4j/query/v2") && [[ $answer != *'"errors"'* ]]
}

# shellcheck shell=bash
# A Java that Neo4j 5.26 runs on, and Maven to fetch it with.

JAVA=java

java_fits() {
    local major
    major=$("$1" -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p') || return 1
    [[ $major == 17 || $major == 21 ]]
}

# Sets JAVA.
install_java() {
    if java_fits java; then return; fi
    install_packages openjdk-21-jre-headless
    local candidate
    for candidate in /usr/lib/jvm/java-21-openjdk-*/bin/java; do JAVA=$candidate; done
    java_fits "$JAVA" || die "no Java 17 or 21 found"
}

install_maven() {
    if have mvn; then return; fi
    install_packages maven
}

// swift-tools-version: 6.0
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Overlapping accesses are found in debug builds, where the tests run: checking them costs a
    // tenth of the instructions of a request.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// Regular expressions are linked only where they are imported: code that nobody calls would still
/// cost a third of a megabyte of resident memory.
let lean: [SwiftSetting] = [
    .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"])
]

/// A layer of the gateway. It may import only what it names here; the order below is the order of
/// the layers, so a dependency that points down the list does not compile.
func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + lean)
}

func tests(_ layer: String, _ more: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(layer)Tests", dependencies: [.init(stringLiteral: layer)] + more,
        swiftSettings: strict)
}

let package = Package(
    name: "fourfold",
    products: [.executable(name: "fourfold", targets: ["fourfold"])],
    targets: [
        // System libraries: a module map and a shim each.
        .systemLibrary(name: "CUV", pkgConfig: "libuv"),
        .systemLibrary(name: "CLlhttp", pkgConfig: "libllhttp"),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq"),
        .systemLibrary(name: "CHiredis"),
        .systemLibrary(name: "CTLS"),
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "CYyjson", pkgConfig: "yyjson"),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto"),

        // The loop and what every layer shares.
        layer("Runtime", ["CUV"]),
        layer("JSON", ["CYyjson"]),

        layer("Settings", ["Runtime"]),

        // One protocol each. They know the loop and no domain.
        layer("HTTPServer", ["CUV", "CLlhttp", "Runtime"]),
        layer("Postgres", ["CUV", "CPostgres", "Runtime"]),
        layer("Redis", ["CUV", "CCrypto", "CHiredis", "CTLS", "Runtime"]),
        layer("HTTPClient", ["CUV", "CCurl", "Runtime"]),

        // Store clients.
        layer("Neo4j", ["HTTPClient", "JSON", "Runtime"]),
        layer("Weaviate", ["HTTPClient", "JSON", "Runtime"]),

        // Domains as data.
        layer("Packs", ["JSON", "Postgres", "Runtime"]),
        layer("Live", ["Packs", "Postgres", "Redis", "JSON", "Runtime"]),
        layer(
            "Projection",
            [
                "Live", "Packs", "Postgres", "Redis", "Neo4j", "Weaviate", "HTTPClient", "JSON",
                "Runtime",
            ]),
        layer(
            "Gateway",
            [
                "CCrypto", "Projection", "Live", "Packs", "Postgres", "Redis", "Neo4j", "Weaviate",
                "HTTPClient", "HTTPServer", "JSON", "Runtime",
            ]),

        // Wiring only.
        .executableTarget(
            name: "fourfold",
            dependencies: [
                "Gateway", "Projection", "Live", "Packs", "Postgres", "Redis", "Neo4j", "Weaviate",
                "HTTPClient", "HTTPServer", "JSON", "Settings", "Runtime",
            ],
            swiftSettings: strict),

        // Reads the files of the checkout and imports nothing.
        .testTarget(name: "TidyTests", swiftSettings: strict),
        tests("fourfold", ["Settings"]),

        tests("Runtime", ["ClientTestSupport"]),
        tests("Postgres", ["Runtime"]),
        tests("JSON"),
        tests("Settings"),
        tests("Packs", ["Postgres", "Runtime"]),
        tests("Gateway", ["HTTPServer", "Packs", "Postgres", "JSON", "Runtime"]),
        tests("HTTPServer", ["Runtime"]),
        .target(
            name: "ClientTestSupport", dependencies: ["Runtime"], path: "Tests/ClientTestSupport",
            swiftSettings: strict),
        tests("HTTPClient", ["ClientTestSupport", "Runtime"]),
        tests("Neo4j", ["ClientTestSupport", "HTTPClient", "JSON", "Runtime"]),
        tests("Weaviate", ["ClientTestSupport", "HTTPClient", "JSON", "Runtime"]),
        tests("Live", ["ClientTestSupport", "Packs", "Postgres", "Redis", "Runtime"]),
        tests("Redis", ["ClientTestSupport", "Runtime"]),
        tests(
            "Projection",
            [
                "ClientTestSupport", "Live", "Packs", "Postgres", "Redis", "Neo4j", "Weaviate",
                "HTTPClient", "JSON", "Runtime",
            ]),
    ],
    swiftLanguageModes: [.v6]
)

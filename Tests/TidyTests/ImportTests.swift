import Testing

/// Layers: what `Package.swift` says, what the sources import, what the documents tell.
@Suite struct ImportTests {
    /// Modules that come with the toolchain and pull in nothing of weight.
    static let toolchain: Set<String> = ["Glibc", "Synchronization"]

    @Test func sourcesImportWhatTheirTargetNames() throws {
        let targets = try PackageTargets()
        expectNone(
            Checkout.sources.flatMap { source in
                let allowed = Self.toolchain.union(targets.dependencies(source.target))
                return imports(source).filter { !allowed.contains($0.module) }.map {
                    Violation(source.path, $0.line, "\(source.target) must not import \($0.module)")
                }
            })
    }

    @Test func everyImportSaysHowFarItReaches() {
        let words: Set<Substring> = ["internal", "package", "@preconcurrency", "@testable"]
        expectNone(
            Checkout.sources.flatMap { source in
                source.violations("write internal import or package import") { line in
                    line.hasPrefix("import ")
                        || (line.contains(" import ")
                            && line.split(separator: " ").first.map(words.contains) == false)
                }
            })
    }

    @Test func layersOnlyNameLayersAboveThem() throws {
        let targets = try PackageTargets()
        var seen: Set<String> = []
        var violations: [Violation] = []
        for layer in targets.layers {
            for dependency in layer.dependencies where !seen.contains(dependency) {
                violations.append(
                    Violation("Package.swift", layer.line, "\(layer.name) names \(dependency)"))
            }
            seen.insert(layer.name)
        }
        #expect(targets.layers.count > 10)
        expectNone(violations)
    }

    @Test func theImportTableIsTrue() throws {
        let targets = try PackageTargets()
        let path = "docs/ARCHITECTURE.md"
        let text = try Checkout.read(path)
        let rows = MarkdownTable.after("<!-- imports -->", in: text)
        let told = Dictionary(
            rows.map { ($0[0].unquoted, Set($0[1].split(separator: " ").map(String.init))) }
        ) { first, _ in first }
        for layer in targets.layers where layer.isSwift {
            let names = told[layer.name].map { Set($0.map(\.unquoted)) }
            #expect(names == Set(layer.dependencies), "\(path): the imports of \(layer.name)")
        }
        let unknown = Set(told.keys).subtracting(targets.layers.map(\.name))
        #expect(unknown.isEmpty, "\(path): no such targets")
    }
}

private func imports(_ source: SwiftSource) -> [(line: Int, module: String)] {
    source.code.enumerated().compactMap { index, line in
        let words = line.split(separator: " ")
        guard let place = words.firstIndex(of: "import"), place < 3, place + 1 < words.count
        else { return nil }
        let path = words.last ?? ""
        return (index + 1, String(path.split(separator: ".").first ?? path))
    }
}

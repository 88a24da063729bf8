import Testing

/// No name of a domain stands in Swift: one engine, domains as data.
@Suite struct DomainNameTests {
    /// Names of packs that are also words of the engine, and what they mean there.
    static let allowed: [String: String] = [
        "Location": "the header of an answer",
        "User": "whoever a password belongs to",
        "config": "what an operator sets, and the engine's keys for configuration",
        "entities": "what a pack declares",
        "entity_id": "the key of the export's table, part of the seam between engine and pack",
        "relationship": "an edge of the graph",
        "relationships": "the section of a manifest",
        "sessions": "the section of a manifest, and what it is about",
        "tags": "entity tags of HTTP",
        "user_id": "the owner, as the engine writes it into every node and edge",
    ]

    @Test func noNameOfADomainIsInTheSources() throws {
        let names = try PackNames(engine: "fourfold").origins.filter {
            Self.allowed[$0.key] == nil
        }
        #expect(names.count > 50, "the packs were not read")
        let compounds = names.filter { isCompound($0.key) }
        var violations: [Violation] = []
        for source in Checkout.sources {
            for literal in source.literals {
                for word in words(literal.text) {
                    guard let origin = names[String(word)] else { continue }
                    violations.append(
                        Violation(source.path, literal.line, "\(word) is a name of \(origin)"))
                }
            }
            // A name that is no plain word may stand nowhere, not even in a comment.
            for (index, line) in source.file.lines.enumerated() {
                for word in words(line) {
                    guard let origin = compounds[String(word)] else { continue }
                    violations.append(
                        Violation(source.path, index + 1, "\(word) is a name of \(origin)"))
                }
            }
        }
        expectNone(violations)
    }

    @Test func everyExceptionIsNeeded() throws {
        let names = try PackNames(engine: "fourfold").origins
        let used = Set(
            Checkout.sources.flatMap { source in
                source.literals.flatMap { words($0.text).map(String.init) }
                    + source.file.lines.flatMap { words($0).map(String.init) }
            })
        for name in Self.allowed.keys.sorted() {
            #expect(names[name] != nil && used.contains(name), "\(name) needs no exception")
        }
    }
}

private func words(_ text: some StringProtocol) -> [Substring] {
    Substring(text).split { !($0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0))) }
}

/// `memory_units`, `growth-events`, `UserConcept`, `INSPIRED_BY`: not a word of English.
private func isCompound(_ name: String) -> Bool {
    name.dropFirst().contains { "_-".contains($0) }
        || name.dropFirst().contains(where: \.isUppercase) && name.contains(where: \.isLowercase)
}

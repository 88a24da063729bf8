/// Where the files of packs are: `schemas/`, `cypher/` and `weaviate/` under one root.
package struct PackFiles: Sendable {
    package let root: String

    package init(root: String) { self.root = root }

    /// A numbered script and its text.
    package struct Script: Sendable {
        /// Relative to the root, e.g. `schemas/<pack>/010_tables.sql`.
        package let file: String
        package let text: String
    }

    /// The packs there are: every folder of `schemas/` with a `pack.json`.
    package func packNames() -> [String] {
        (TextFile.list("\(root)/schemas") ?? []).filter { name in
            (TextFile.list("\(root)/schemas/\(name)") ?? []).contains("pack.json")
        }
    }

    package func manifestFile(_ pack: String) -> String { "schemas/\(pack)/pack.json" }

    /// SQL in the order of the numbers.
    package func sqlScripts(_ folder: String) throws(PackError) -> [Script] {
        try scripts("schemas/\(folder)", ending: ".sql", mustBeNumbered: true)
    }

    package func cypherScripts(_ pack: String) throws(PackError) -> [Script] {
        try scripts("cypher/\(pack)", ending: ".cypher", mustBeNumbered: true)
    }

    /// One Weaviate class a file; the class is named like the file.
    package func weaviateClasses(_ pack: String) throws(PackError) -> [Script] {
        try scripts("weaviate/\(pack)", ending: ".json", mustBeNumbered: false)
    }

    package func read(_ file: String) throws(PackError) -> String {
        do throws(TextFile.ReadError) {
            return try TextFile.read("\(root)/\(file)")
        } catch {
            throw PackError([
                PackProblem(file: file, "cannot be read: \(describe(error))", remedy: remedy(error))
            ])
        }
    }

    private func scripts(
        _ folder: String, ending: String, mustBeNumbered: Bool
    ) throws(PackError) -> [Script] {
        var found: [Script] = []
        var problems: [PackProblem] = []
        for name in TextFile.list("\(root)/\(folder)") ?? [] where name.hasSuffix(ending) {
            let file = "\(folder)/\(name)"
            if mustBeNumbered && !isNumbered(name) {
                problems.append(
                    PackProblem(
                        file: file, "the name has no number",
                        remedy: "Name it NNN_what\(ending), three digits first."))
                continue
            }
            do throws(PackError) {
                found.append(Script(file: file, text: try read(file)))
            } catch {
                problems += error.problems
            }
        }
        if !problems.isEmpty { throw PackError(problems) }
        return found
    }
}

private func isNumbered(_ name: String) -> Bool {
    let characters = Array(name.utf8)
    return characters.count > 4 && characters[3] == UInt8(ascii: "_")
        && characters[..<3].allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
}

private func describe(_ error: TextFile.ReadError) -> String {
    switch error {
    case .unreadable(let errno): "error \(errno) of the file system"
    case .tooLarge: "it is larger than \(TextFile.byteCountMax) bytes"
    case .notUTF8: "it is not UTF-8"
    }
}

private func remedy(_ error: TextFile.ReadError) -> String {
    switch error {
    case .unreadable: "Check that it is there and may be read."
    case .tooLarge: "Split it."
    case .notUTF8: "Save it as UTF-8."
    }
}

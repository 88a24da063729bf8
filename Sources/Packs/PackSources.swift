internal import JSON

/// The files of one pack, read and checked without a database.
struct PackSources {
    let manifest: PackManifest
    let document: JSONDocument
    /// Those of the manifest, each with its definition.
    let classes: [VectorClass]
    let cypher: [String]

    /// - Throws: Every problem of every file: a mistake in one hides none in another.
    init(_ name: String, _ files: PackFiles) throws(PackError) {
        var reader = PackSourceReader(name: name, files: files)
        let (manifest, document) = reader.readManifest()
        let classes = reader.readClasses(manifest)
        let cypher = reader.readScripts()
        guard reader.problems.isEmpty, let manifest, let document else {
            throw PackError(reader.problems)
        }
        (self.manifest, self.document) = (manifest, document)
        (self.classes, self.cypher) = (classes, cypher)
    }
}

/// Reads one kind of files after the other and collects what is wrong with them.
private struct PackSourceReader {
    let name: String
    let files: PackFiles
    var problems: [PackProblem] = []

    private mutating func collecting<Value>(_ body: () throws(PackError) -> Value) -> Value? {
        do throws(PackError) {
            return try body()
        } catch {
            problems += error.problems
            return nil
        }
    }

    /// - Returns: Nil where there is nothing to read, after complaining.
    mutating func readManifest() -> (PackManifest?, JSONDocument?) {
        let file = files.manifestFile(name)
        guard let text = collecting({ [files] () throws(PackError) in try files.read(file) }) else {
            return (nil, nil)
        }
        do throws(JSONError) {
            let document = try JSONDocument.parse(text)
            var reader = ManifestReader(file: file)
            let manifest = PackManifest(document.root, &reader)
            if manifest.name != name && !manifest.name.isEmpty {
                reader.complain("name", "it differs from the folder", "Use \(name) for both.")
            }
            problems += reader.problems
            return (manifest, document)
        } catch {
            problems.append(
                PackProblem(
                    file: file, "it is not valid JSON: \(error)",
                    remedy: "Correct it; comments and trailing commas are not JSON."))
            return (nil, nil)
        }
    }

    /// Each vector class of the manifest has a file and each file a class.
    mutating func readClasses(_ manifest: PackManifest?) -> [VectorClass] {
        let read = { [files, name] () throws(PackError) in try files.weaviateClasses(name) }
        let scripts = collecting(read) ?? []
        var definitions: [String: String] = [:]
        for script in scripts {
            let root = try? JSONDocument.parse(script.text).root
            guard let name = root?["class"]?.string, script.file.hasSuffix("/\(name).json") else {
                problems.append(
                    PackProblem(
                        file: script.file, "it is no class named like the file",
                        remedy: "Write one JSON object whose \"class\" is the file's name."))
                continue
            }
            definitions[name] = script.text
            if manifest?.vectors.contains(where: { $0.name == name }) == false {
                problems.append(
                    PackProblem(
                        file: script.file, "the pack does not name this class",
                        remedy: "Add it to \"vectors\" or remove the file."))
            }
        }
        return (manifest?.vectors ?? []).map { vector in
            var vector = vector
            vector.definition = definitions[vector.name] ?? ""
            if vector.definition.isEmpty {
                problems.append(
                    PackProblem(
                        file: files.manifestFile(name), place: "vectors.\(vector.name)",
                        "the class has no file",
                        remedy: "Add weaviate/\(name)/\(vector.name).json."))
            }
            return vector
        }
    }

    /// The statements of the Cypher scripts. Those of SQL are PostgreSQL's to judge, but for their
    /// names.
    mutating func readScripts() -> [String] {
        _ = collecting { [files, name] () throws(PackError) in try files.sqlScripts(name) }
        let read = { [files, name] () throws(PackError) in try files.cypherScripts(name) }
        let scripts = collecting(read) ?? []
        return scripts.flatMap { cypherStatements($0.text) }
    }
}

/// The statements of a Cypher script: split at `;` at the end of a line, without comment lines.
func cypherStatements(_ script: String) -> [String] {
    var statements: [String] = []
    var current: [Substring] = []
    for line in script.split(separator: "\n") {
        let text = line.drop { $0 == " " || $0 == "\t" }
        if text.hasPrefix("//") || text.isEmpty { continue }
        guard text.hasSuffix(";") else {
            current.append(line)
            continue
        }
        current.append(line.dropLast())
        statements.append(current.joined(separator: "\n"))
        current = []
    }
    if !current.isEmpty { statements.append(current.joined(separator: "\n")) }
    return statements
}

import Foundation

/// Every name that the packs of this checkout give to something: tables, views, functions, keys,
/// paths, labels, relationship types, edge sets, classes.
struct PackNames {
    /// Name to the file that gives it.
    private(set) var origins: [String: String] = [:]

    /// - Parameter engine: The schema that belongs to the engine, not to a domain.
    init(engine: String) throws {
        for file in Checkout.files(under: "schemas/", ".json")
        where file.path.hasSuffix("/pack.json") {
            try addManifest(file)
        }
        for file in Checkout.files(under: "schemas/", ".sql")
        where !file.path.hasPrefix("schemas/\(engine)/") {
            addSQL(file)
        }
        for file in Checkout.files(under: "weaviate/", ".json") {
            add((file.path as NSString).lastPathComponent.replacing(".json", with: ""), file)
        }
    }

    private mutating func add(_ name: String, _ file: TextFile) {
        if name.count > 1, origins[name] == nil { origins[name] = file.path }
    }

    private mutating func addManifest(_ file: TextFile) throws {
        let json = try JSONSerialization.jsonObject(with: Data(file.text.utf8))
        guard let manifest = json as? [String: Any] else { return }
        add(manifest["name"] as? String ?? "", file)
        let graph = manifest["graph"] as? [String: Any] ?? [:]
        add(graph["keyLabel"] as? String ?? "", file)
        let groups = [
            manifest["entities"], graph["nodes"], graph["edges"], manifest["vectors"],
            manifest["queries"], manifest["states"], manifest["channels"],
        ]
        for case let group as [String: Any] in groups {
            for (name, value) in group {
                add(name, file)
                guard let value = value as? [String: Any] else { continue }
                for key in ["table", "view", "key"] { add(value[key] as? String ?? "", file) }
                for type in value["types"] as? [String] ?? [] { add(type, file) }
            }
        }
    }

    private static let declarations: Set<String> = ["TABLE", "VIEW", "FUNCTION", "TYPE", "DOMAIN"]

    private mutating func addSQL(_ file: TextFile) {
        for line in file.lines where !line.hasPrefix("--") {
            let words = line.split { " (),;".contains($0) }
            if words.first == "CREATE" {
                // CREATE OR REPLACE FUNCTION: what is made stands in the first four words.
                let head = words.prefix(4)
                let kind = head.firstIndex { PackNames.declarations.contains(String($0)) }
                let rest = words[((kind ?? words.count - 1) + 1)...]
                let named = rest.first { !["IF", "NOT", "EXISTS"].contains($0) } ?? ""
                add(String(named.split(separator: ".").last ?? ""), file)
            } else if let column = words.first, words.count > 1, column.hasSuffix("_id") {
                // Keys, and what refers to them.
                add(String(column), file)
            }
        }
    }
}

/// The layers of `Package.swift`, in their order, as its text declares them.
struct PackageTargets {
    struct Layer {
        let name: String
        let line: Int
        let dependencies: [String]
        /// Not the map of a system library.
        let isSwift: Bool
    }

    let layers: [Layer]

    init() throws {
        let file = TextFile(path: "Package.swift", text: try Checkout.read("Package.swift"))
        var layers: [Layer] = []
        let declarations = ["layer(", ".systemLibrary(", ".executableTarget("]
        for (index, line) in file.lines.enumerated() {
            let text = line.drop { $0 == " " }
            guard declarations.contains(where: text.hasPrefix) else { continue }
            let declaration = PackageTargets.declaration(file.lines[index...])
            let isSystem = text.hasPrefix(".systemLibrary")
            // Settings of the build follow the list of dependencies.
            let lists = declaration.split(separator: "]", maxSplits: 1)
            let names = PackageTargets.quoted(isSystem ? declaration : String(lists[0]))
            guard let name = names.first else { continue }
            layers.append(
                Layer(
                    name: name, line: index + 1,
                    dependencies: isSystem ? [] : Array(names.dropFirst()), isSwift: !isSystem))
        }
        self.layers = layers
    }

    func dependencies(_ target: String) -> [String] {
        layers.first { $0.name == target }?.dependencies ?? []
    }

    /// From the first line to where its parenthesis closes.
    private static func declaration(_ lines: ArraySlice<Substring>) -> String {
        var depth = 0
        var text = ""
        for line in lines {
            text += line + "\n"
            for character in line {
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
            }
            if depth <= 0 { break }
        }
        return text
    }

    private static func quoted(_ text: String) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}

import Foundation

/// The files of this checkout, found from where this file was compiled.
enum Checkout {
    static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// Folders that hold what tools made.
    private static let skipped: Set<String> = ["node_modules", "__pycache__", "Package.resolved"]

    private static let textExtensions: Set<String> = [
        "swift", "md", "sql", "cypher", "json", "ndjson", "sh", "py", "yml", "yaml", "h", "txt",
        "modulemap",
    ]

    /// Every text file, in the order of their paths. Hidden folders are left out.
    static let textFiles: [TextFile] = {
        var files: [TextFile] = []
        let manager = FileManager.default
        guard let walk = manager.enumerator(atPath: root) else { return [] }
        while let path = walk.nextObject() as? String {
            let name = (path as NSString).lastPathComponent
            if name.hasPrefix(".") || skipped.contains(name) {
                walk.skipDescendants()
                continue
            }
            guard isText(path), let text = try? read(path) else { continue }
            files.append(TextFile(path: path, text: text))
        }
        return files.sorted { $0.path < $1.path }
    }()

    static func files(under folder: String = "", _ suffix: String) -> [TextFile] {
        textFiles.filter { $0.path.hasPrefix(folder) && $0.path.hasSuffix(suffix) }
    }

    static let sources = files(under: "Sources/", ".swift").map(SwiftSource.init)
    static let tests = files(under: "Tests/", ".swift").map(SwiftSource.init)
    static let documents = files(".md")

    static func read(_ path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(root)/\(path)")
    }

    /// By its extension; files without one are scripts and licences.
    private static func isText(_ path: String) -> Bool {
        let suffix = (path as NSString).pathExtension
        var isFolder: ObjCBool = false
        FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder)
        return !isFolder.boolValue && (suffix.isEmpty || textExtensions.contains(suffix))
    }
}

/// A text and its lines.
struct TextFile {
    let path: String
    let text: String
    let lines: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Without the empty piece after the last line feed.
    var lineCount: Int { lines.last?.isEmpty == true ? lines.count - 1 : lines.count }
}

import Testing

private let readmeLineCountEnd = 200

/// Documents: one title each, no dead links, all on the map.
@Suite struct DocumentTests {
    @Test func everyDocumentHasOneTitle() {
        expectNone(
            Checkout.documents.compactMap { file in
                let titles = prose(file).filter { $0.text.hasPrefix("# ") }
                if titles.count == 1 { return nil }
                return Violation(
                    file.path, titles.last?.line ?? 1, "\(titles.count) titles (# …), must be one")
            })
    }

    /// It is read before anything else, so it must be read to the end.
    @Test func theReadmeIsShort() throws {
        let readme = try #require(Checkout.documents.first { $0.path == "README.md" })
        let isShort = readme.lineCount < readmeLineCountEnd
        let wanted = "it must have fewer than \(readmeLineCountEnd) lines"
        expectNone(isShort ? [] : [Violation(readme.path, readme.lineCount, wanted)])
    }

    @Test func noRelativeLinkIsDead() {
        expectNone(
            Checkout.documents.flatMap { file in
                links(file).compactMap { line, target -> Violation? in
                    guard let path = resolve(target, from: file.path) else { return nil }
                    return Checkout.exists(path)
                        ? nil : Violation(file.path, line, "\(target) is not there")
                }
            })
    }

    @Test func noAnchorIsDead() {
        expectNone(
            Checkout.documents.flatMap { file in
                links(file).compactMap { line, target -> Violation? in
                    let parts = target.split(
                        separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                    guard parts.count == 2, !target.contains("://") else { return nil }
                    let path = parts[0].isEmpty ? file.path : resolve(target, from: file.path)
                    guard let document = Checkout.documents.first(where: { $0.path == path })
                    else { return nil }
                    return anchors(document).contains(String(parts[1]))
                        ? nil : Violation(file.path, line, "\(target) is no heading there")
                }
            })
    }

    @Test func everyDocumentIsOnTheMap() throws {
        let map = try #require(Checkout.documents.first { $0.path == "docs/README.md" })
        let linked = Set(links(map).compactMap { resolve($0.target, from: map.path) })
        let wanted = Checkout.documents.map(\.path).filter {
            $0.hasPrefix("docs/") || !$0.contains("/")
        }
        expectNone(
            wanted.filter { $0 != map.path && !linked.contains($0) }
                .map { Violation(map.path, 1, "\($0) is not linked") })
    }
}

/// The lines outside of fenced code.
private func prose(_ file: TextFile) -> [(line: Int, text: Substring)] {
    var isFenced = false
    var lines: [(Int, Substring)] = []
    for (index, line) in file.lines.enumerated() {
        let text = line.drop { $0 == " " }
        if text.hasPrefix("```") || text.hasPrefix("~~~") {
            isFenced.toggle()
        } else if !isFenced {
            lines.append((index + 1, line))
        }
    }
    return lines
}

/// The targets of `[text](target)`.
private func links(_ file: TextFile) -> [(line: Int, target: String)] {
    var links: [(Int, String)] = []
    for (line, text) in prose(file) {
        // Text in back quotes is no link.
        let pieces = text.split(separator: "`", omittingEmptySubsequences: false)
        let plain = pieces.enumerated().filter { $0.offset % 2 == 0 }.map { String($0.element) }
        var rest = plain.joined()[...]
        while let opening = rest.firstRange(of: "](") {
            rest = rest[opening.upperBound...]
            guard let end = rest.firstIndex(of: ")") else { break }
            links.append((line, String(rest[..<end])))
        }
    }
    return links
}

/// The path in the checkout; nil for other sites and for places in the same document.
private func resolve(_ target: String, from document: String) -> String? {
    let path = target.prefix { $0 != "#" }
    if path.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { return nil }
    var parts = document.split(separator: "/").dropLast().map(String.init)
    for part in path.split(separator: "/") {
        switch part {
        case ".": continue
        case "..": _ = parts.popLast()
        default: parts.append(String(part))
        }
    }
    return parts.joined(separator: "/")
}

/// Names of the headings, as web views of Markdown make them.
private func anchors(_ file: TextFile) -> Set<String> {
    Set(
        prose(file).filter { $0.text.hasPrefix("#") }.map { heading in
            let title = heading.text.drop { $0 == "#" }.trimmed.lowercased()
            let kept = title.filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }
            return String(kept.map { $0 == " " ? "-" : $0 })
        })
}

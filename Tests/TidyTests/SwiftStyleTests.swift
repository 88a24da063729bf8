import Testing

/// What can be said of Swift line by line.
@Suite struct SwiftStyleTests {
    static let columnCountMax = 100
    static let sourceLineCountMax = 600
    static let testLineCountMax = 800

    @Test func noLineIsTooLong() throws {
        let package = SwiftSource(
            TextFile(path: "Package.swift", text: try Checkout.read("Package.swift")))
        let all = [package] + Checkout.sources + Checkout.tests
        expectNone(
            all.flatMap { source in
                source.file.lines.enumerated().filter { $0.element.count > Self.columnCountMax }
                    .map {
                        Violation(
                            source.path, $0.offset + 1,
                            "\($0.element.count) columns, at most \(Self.columnCountMax)")
                    }
            })
    }

    @Test func noFileIsTooLong() {
        let limits = [
            (Checkout.sources, Self.sourceLineCountMax), (Checkout.tests, Self.testLineCountMax),
        ]
        expectNone(
            limits.flatMap { sources, limit in
                sources.filter { $0.file.lineCount > limit }.map {
                    Violation($0.path, limit + 1, "\($0.file.lineCount) lines, at most \(limit)")
                }
            })
    }

    @Test func noTaskLeavesItsLoop() {
        let message = "leaves the event loop; use loop.spawn, loop.sleep or loop.yield"
        expectNone(
            Checkout.sources.flatMap { $0.violations(message, where: makesUnboundTask) })
    }

    @Test func nothingIsPublic() {
        expectNone(
            Checkout.sources.flatMap { source in
                source.violations("this is no library: use package") { line in
                    line.split(separator: " ").contains("public")
                }
            })
    }

    @Test func nothingIsForced() {
        expectNone(
            Checkout.sources.flatMap { source in
                source.violations("a failure must be an error, not a crash") { line in
                    line.contains("try!") || line.contains(" as! ")
                }
            })
    }

    @Test(arguments: [
        ("Task {", true), ("let a = Task<Void, Never> { b }", true), ("Task.detached {", true),
        ("try await Task.sleep(for: a)", true), ("await Task.yield()", true),
        ("Task(priority: .low) {", true), ("Task(executorPreference: loop) {", false),
        ("func a() -> Task<Void, Never> {", false), ("if Task.isCancelled {", false),
        ("struct MyTask {", false), ("withTaskGroup(of: Int.self) {", false),
    ])
    func unboundTask(line: String, isOne: Bool) {
        #expect(makesUnboundTask(line) == isOne)
    }
}

/// Makes a task that runs on the global executor, or lets a task pass through it.
private func makesUnboundTask(_ line: String) -> Bool {
    var rest = line[...]
    while let range = rest.firstRange(of: "Task") {
        let before = rest[..<range.lowerBound]
        rest = rest[range.upperBound...]
        if before.last.map({ $0.isLetter || $0.isNumber || $0 == "_" }) == true { continue }
        if [".detached", ".sleep", ".yield"].contains(where: rest.hasPrefix) { return true }
        let isType = before.hasSuffix("-> ") || before.hasSuffix(": ")
        var after = rest
        if after.first == "<", let end = after.firstIndex(of: ">") {
            after = after[after.index(after: end)...]
        }
        after = after.drop { $0 == " " }
        if after.first == "{" && !isType { return true }
        if after.first == "(" && !after.hasPrefix("(executorPreference") { return true }
    }
    return false
}

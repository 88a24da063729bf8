import Testing

/// A place that breaks a rule.
struct Violation: CustomStringConvertible {
    let path: String
    /// From 1.
    let line: Int
    let message: String

    init(_ path: String, _ line: Int, _ message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    var description: String { "\(path):\(line): \(message)" }
}

/// Fails with every violation at once.
func expectNone(
    _ violations: [Violation], sourceLocation: SourceLocation = #_sourceLocation
) {
    let list = violations.map { "\n\($0)" }.joined()
    #expect(violations.isEmpty, "\(violations.count):\(list)", sourceLocation: sourceLocation)
}

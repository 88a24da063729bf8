internal import HTTPServer

/// `If-Match` and `If-None-Match` of a request (RFC 9110 §13.1).
struct EntityTagCondition: Sendable {
    /// `If-Match`: one of these, without quotes; nil without the header, or for `*`.
    private(set) var matching: [String]?
    /// `If-Match: *`: there must be a row.
    private(set) var mustExist = false
    /// `If-None-Match`: none of these.
    private(set) var notMatching: [String]?
    /// `If-None-Match: *`: there must be no row.
    private(set) var mustNotExist = false

    /// Greatest number of tags in one header.
    private static let tagCountMax = 100

    init(_ headers: HTTPRequestHeaders) throws(Problem) {
        if let text = headers["if-match"] {
            if text == "*" { mustExist = true } else { matching = try Self.tags(text, "If-Match") }
        }
        if let text = headers["if-none-match"] {
            if text == "*" {
                mustNotExist = true
            } else {
                notMatching = try Self.tags(text, "If-None-Match")
            }
        }
    }

    /// Whether there is an `If-None-Match`.
    var isForReading: Bool { mustNotExist || notMatching != nil }

    /// Whether a reader already has this state. Weak comparison, as for `If-None-Match`.
    func isNotModified(_ tag: String) -> Bool {
        mustNotExist || notMatching?.contains(tag) == true
    }

    /// Refuses what a write of many rows would have to ignore.
    func requireUnused() throws(Problem) {
        guard matching == nil, !mustExist else {
            throw Problem(
                .invalidHeader, "If-Match goes with one row, not with a collection.",
                hint: "Write the row by its path.",
                errors: [FieldError("If-Match", "is not taken here")])
        }
        try requireNoneMatchUnused()
    }

    /// Refuses a row that must be there and must not.
    func requireConsistent() throws(Problem) {
        guard mustNotExist, matching != nil || mustExist else { return }
        throw Problem(
            .invalidHeader, "If-Match and If-None-Match exclude each other here.",
            errors: [FieldError("If-None-Match", "contradicts If-Match")])
    }

    /// Refuses an `If-None-Match` that a write would have to ignore.
    ///
    /// - Parameter butAny: `*` is taken.
    func requireNoneMatchUnused(butAny: Bool = false) throws(Problem) {
        if notMatching == nil && (butAny || !mustNotExist) { return }
        throw Problem(
            .invalidHeader,
            butAny
                ? "A write takes no If-None-Match but `*`." : "This write takes no If-None-Match.",
            hint: "Name the state that the row must have with If-Match.",
            errors: [FieldError("If-None-Match", "is not taken here")])
    }

    private static func tags(_ text: String, _ header: String) throws(Problem) -> [String] {
        var tags: [String] = []
        for part in text.split(separator: ",") {
            var tag = part.trimmingSpaces
            if tag.hasPrefix("W/") { tag.removeFirst(2) }
            guard tag.count >= 2, tag.first == "\"", tag.last == "\"" else {
                throw malformed(header)
            }
            let inner = tag.dropFirst().dropLast()
            guard !inner.contains("\"") else { throw malformed(header) }
            tags.append(String(inner))
        }
        guard (1...tagCountMax).contains(tags.count) else {
            throw Problem(
                .invalidHeader, "\(header) must hold 1 to \(tagCountMax) entity tags.",
                errors: [FieldError(header, "too many or none")])
        }
        return tags
    }
    private static func malformed(_ header: String) -> Problem {
        Problem(
            .invalidHeader, "\(header) must hold entity tags in double quotes.",
            errors: [FieldError(header, "malformed")])
    }
}

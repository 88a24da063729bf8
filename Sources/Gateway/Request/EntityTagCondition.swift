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

    private static func tags(_ text: String, _ header: String) throws(Problem) -> [String] {
        var tags: [String] = []
        for part in text.split(separator: ",") {
            var tag = part.trimmingSpaces
            if tag.hasPrefix("W/") { tag.removeFirst(2) }
            guard tag.count >= 2, tag.first == "\"", tag.last == "\"" else {
                throw Problem(
                    .invalidHeader, "\(header) must hold entity tags in double quotes.",
                    errors: [FieldError(header, "malformed")])
            }
            tags.append(String(tag.dropFirst().dropLast()))
        }
        guard (1...tagCountMax).contains(tags.count) else {
            throw Problem(
                .invalidHeader, "\(header) must hold 1 to \(tagCountMax) entity tags.",
                errors: [FieldError(header, "too many or none")])
        }
        return tags
    }
}

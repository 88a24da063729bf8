package import JSON

extension Problem {
    /// A body that is no JSON we take.
    package init(_ error: JSONError) {
        switch error {
        case .malformed(let offset):
            self.init(
                .malformedJSON,
                "The JSON is broken at byte \(offset).",
                hint: "Send one JSON value in UTF-8."
            )
        case .tooDeep(let depthMax):
            self.init(
                .malformedJSON,
                "Objects and arrays nest deeper than \(depthMax) levels.",
                hint: "Send at most \(depthMax) levels."
            )
        case .containsNUL:
            self.init(
                .malformedJSON,
                "A string contains U+0000, which the database cannot store.",
                hint: "Leave the character out."
            )
        }
    }
}

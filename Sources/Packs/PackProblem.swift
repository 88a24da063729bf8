/// One thing that is wrong with a pack: where, what, and what to do about it.
package struct PackProblem: Sendable, Equatable {
    /// The file, relative to the root that holds `schemas/`.
    package let file: String
    /// The place in the file: a JSON path, a line, or empty.
    package let place: String
    package let message: String
    package let remedy: String

    package init(file: String, place: String = "", _ message: String, remedy: String) {
        self.file = file
        self.place = place
        self.message = message
        self.remedy = remedy
    }

    /// One line, as `packs check` prints it.
    package var text: String {
        "\(file)\(place.isEmpty ? "" : ": \(place)"): \(message). \(remedy)"
    }
}

/// Why a pack cannot be served: every problem that was found, not only the first.
package struct PackError: Error, Sendable {
    package let problems: [PackProblem]

    package init(_ problems: [PackProblem]) { self.problems = problems }
}

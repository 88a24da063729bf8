/// A whole answer.
package struct HTTPClientResponse: Sendable {
    package let status: Int
    /// In order of arrival; names in lower case.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package var isSuccess: Bool { (200..<300).contains(status) }

    /// The first value of a header. `name` is in lower case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

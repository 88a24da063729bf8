/// Why a name cannot be written into a statement.
package enum CypherIdentifierError: Error, Equatable, Sendable {
    case empty
    case tooLong(byteCountMax: Int)
    /// A control character, or a backslash: the server decodes `\u0060` to a backtick before it
    /// looks at quotes.
    case forbiddenCharacter
}

/// Names of labels, relationship types and properties inside Cypher text, where no parameter may
/// stand.
package enum CypherIdentifier {
    /// UTF-8 bytes of a name before quoting.
    package static let byteCountMax = 255

    /// The name in backticks, with its own backticks doubled.
    package static func quoted(_ name: String) throws(CypherIdentifierError) -> String {
        if name.isEmpty { throw .empty }
        if name.utf8.count > byteCountMax { throw .tooLong(byteCountMax: byteCountMax) }
        var text = "`"
        for scalar in name.unicodeScalars {
            if scalar.properties.generalCategory == .control || scalar == "\\" {
                throw .forbiddenCharacter
            }
            text.unicodeScalars.append(scalar)
            if scalar == "`" { text.unicodeScalars.append(scalar) }
        }
        return text + "`"
    }
}

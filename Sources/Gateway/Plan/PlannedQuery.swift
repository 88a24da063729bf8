package import Postgres

/// A statement and its parameters, ready to run.
package struct PlannedQuery: Sendable {
    package var statement: Statement
    package var parameters: [Parameter]

    package init(_ statement: Statement, _ parameters: [Parameter]) {
        self.statement = statement
        self.parameters = parameters
    }
}

/// Collects the parameters of a statement that is composed per request.
struct SQLBuilder {
    private(set) var parameters: [Parameter] = []

    /// Adds a parameter.
    ///
    /// - Parameter type: An SQL type of the catalog or of this module, never of the request.
    /// - Returns: `$n::type`.
    mutating func bind(_ parameter: Parameter, as type: String) -> String {
        parameters.append(parameter)
        return "$\(parameters.count)::\(type)"
    }

    mutating func bind(_ text: String, as type: String) -> String {
        bind(.text(text), as: type)
    }

    func query(_ sql: String, isReadOnly: Bool) -> PlannedQuery {
        PlannedQuery(Statement(unnamed: sql, isReadOnly: isReadOnly), parameters)
    }
}

/// A statement that is prepared once, and which input stands at which parameter.
struct StatementTemplate: Sendable {
    enum Input: Sendable { case key, body, owner, etags, madeKey, isNew }

    struct Inputs {
        var key: String?
        var body: [UInt8] = []
        var owner: String?
        /// Entity tags, one of which the row must have; nil for no condition.
        var etags: [String]?
        var madeKey: String?
        /// The row must not exist yet.
        var isNew = false
    }

    /// Gives inputs their `$n` while the SQL is written.
    struct Places {
        fileprivate(set) var inputs: [Input] = []

        mutating func callAsFunction(_ input: Input, _ type: String) -> String {
            let index =
                inputs.firstIndex(of: input)
                ?? {
                    inputs.append(input)
                    return inputs.count - 1
                }()
            return "$\(index + 1)::\(type)"
        }
    }

    let statement: Statement
    private let inputs: [Input]

    init(_ name: String, isReadOnly: Bool = false, _ write: (inout Places) -> String) {
        var places = Places()
        let sql = write(&places)
        statement = Statement(name, sql, isReadOnly: isReadOnly)
        inputs = places.inputs
    }

    func bound(_ values: Inputs) -> PlannedQuery {
        func text(_ value: String?) -> Parameter { value.map { .text($0) } ?? .null }
        let parameters: [Parameter] = inputs.map { input in
            switch input {
            case .key: text(values.key)
            case .body: .bytes(values.body)
            case .owner: text(values.owner)
            case .etags: text(values.etags.map { sqlArrayLiteral($0) })
            case .madeKey: text(values.madeKey)
            case .isNew: .bool(values.isNew)
            }
        }
        return PlannedQuery(statement, parameters)
    }
}

/// The text of an array value, every element quoted: `{"a","b"}`.
func sqlArrayLiteral(_ elements: [String]) -> String {
    var text = "{"
    for (index, element) in elements.enumerated() {
        if index > 0 { text += "," }
        text += "\""
        for character in element.unicodeScalars {
            if character == "\"" || character == "\\" { text += "\\" }
            text.unicodeScalars.append(character)
        }
        text += "\""
    }
    return text + "}"
}

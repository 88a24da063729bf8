internal import Packs

/// What an answer shows of each row.
struct Selection: Sendable {
    struct Item: Sendable {
        /// The name in the answer.
        let name: String
        let reference: ColumnReference
        /// The SQL type to show it as, from ``SelectParser/castTypes``.
        let cast: String?
    }

    let items: [Item]

    /// Every column that may be seen.
    static func all(of entity: Entity) -> Selection {
        Selection(
            items: entity.visibleColumns.map {
                Item(
                    name: $0.name,
                    reference: ColumnReference(column: $0, path: [], isText: false),
                    cast: nil
                )
            }
        )
    }
}

/// Reads `select=id,title:name,metadata->>author,created_at::text`.
struct SelectParser {
    let resolver: ColumnResolver

    /// How a request may spell a type, and what it is in SQL.
    static let castTypes: [String: String] = [
        "text": "text", "varchar": "text", "int": "integer", "integer": "integer",
        "int4": "integer", "int2": "smallint", "smallint": "smallint", "int8": "bigint",
        "bigint": "bigint", "float": "double precision", "float8": "double precision",
        "float4": "real", "real": "real", "numeric": "numeric", "decimal": "numeric",
        "bool": "boolean", "boolean": "boolean", "date": "date", "time": "time",
        "timestamp": "timestamp", "timestamptz": "timestamptz", "uuid": "uuid", "json": "json",
        "jsonb": "jsonb",
    ]

    func parse(_ text: String) throws(Problem) -> Selection {
        var scanner = GrammarScanner(text)
        var items: [Selection.Item] = []
        if scanner.isAtEnd { return .all(of: resolver.entity) }
        repeat {
            if scanner.skip("*") {
                items += Selection.all(of: resolver.entity).items
            } else {
                items.append(try item(&scanner))
            }
            if items.count > resolver.limits.selectItemCountMax {
                throw Problem(
                    .queryTooComplex,
                    "select names more than \(resolver.limits.selectItemCountMax) columns."
                )
            }
        } while scanner.skip(",")
        guard scanner.isAtEnd else { throw unsupported(&scanner) }
        return Selection(items: try withoutRepetition(items))
    }

    private func item(_ scanner: inout GrammarScanner) throws(Problem) -> Selection.Item {
        if scanner.isNext("...") { throw unsupported(&scanner) }
        var alias: String?
        var ahead = scanner
        let first = ahead.quoted() ?? ahead.run(until: ":,(.!)", isPath: true)
        if ahead.isNext(":"), !ahead.isNext("::") {
            _ = ahead.skip(":")
            alias = first
            scanner = ahead
            _ = ahead.quoted() ?? ahead.run(until: ":,(.!)", isPath: true)
        }
        if ahead.isNext("(") || ahead.isNext("!") || ahead.isNext(".") {
            throw unsupported(&ahead)
        }
        let reference = try resolver.reference(&scanner, until: ":,(.!)")
        var cast: String?
        if scanner.skip("::") {
            let word = scanner.word()
            guard let type = SelectParser.castTypes[word] else {
                throw invalid(
                    "there is no cast to \(quoteForMessage(word))",
                    hint: "Types: \(SelectParser.castTypes.keys.sorted().joined(separator: ", "))."
                )
            }
            cast = type
        }
        if scanner.isNext(".") || scanner.isNext("(") { throw unsupported(&scanner) }
        return Selection.Item(
            name: try outputName(alias ?? reference.outputName),
            reference: reference,
            cast: cast
        )
    }

    /// A name of the request in the answer becomes an SQL identifier: short and plain.
    private func outputName(_ name: String) throws(Problem) -> String {
        if resolver.entity.column(name) != nil { return name }
        let isPlain = name.unicodeScalars.allSatisfy { character in
            character == "_" || character == "-" || character == " "
                || ("a"..."z").contains(character) || ("A"..."Z").contains(character)
                || ("0"..."9").contains(character)
        }
        guard isPlain, !name.isEmpty, name.utf8.count <= 63 else {
            throw invalid(
                "\(quoteForMessage(name)) cannot be a name in the answer",
                hint: "Give it an alias of up to 63 letters, digits, - and _: alias:column."
            )
        }
        return name
    }

    private func withoutRepetition(_ items: [Selection.Item]) throws(Problem) -> [Selection.Item] {
        var names: Set<String> = []
        var kept: [Selection.Item] = []
        for item in items {
            if names.insert(item.name).inserted {
                kept.append(item)
            } else if !(item.reference.isWholeColumn && item.reference.column.name == item.name) {
                throw invalid(
                    "\(item.name) is there twice",
                    hint: "Give one of them an alias: alias:column."
                )
            }
        }
        return kept
    }

    private func invalid(_ message: String, hint: String) -> Problem {
        Problem(
            .invalidSelect,
            "select cannot be read: \(message).",
            hint: hint,
            errors: [FieldError("select", message)]
        )
    }

    private static let aggregates: Set<String> = ["avg", "count", "max", "min", "sum"]

    private func unsupported(_ scanner: inout GrammarScanner) -> Problem {
        let rest = scanner.rest()
        let word = rest.drop { $0 == "." }.prefix { $0.isLetter }
        let isAggregate =
            (rest.hasPrefix(".") && SelectParser.aggregates.contains(String(word)))
            || rest.hasPrefix("()")
        if isAggregate {
            return Problem(
                .aggregateUnsupported,
                "select asks for an aggregate.",
                hint: "Ask for the rows, or for their number with Prefer: count=exact.",
                errors: [FieldError("select", "aggregates are not supported")]
            )
        }
        if rest.hasPrefix("(") || rest.hasPrefix("!") || rest.hasPrefix("...") {
            return Problem(
                .embeddingUnsupported,
                "select asks for rows of another entity.",
                hint: "Read the other entity by itself, or the connections of this one.",
                errors: [FieldError("select", "embedding is not supported")]
            )
        }
        return invalid(
            "\(quoteForMessage(rest)) is not expected",
            hint: "Write columns with commas between them: id,title:name,metadata->>author."
        )
    }
}

internal import Packs

/// Reads filters: `status=eq.active`, `or=(a.eq.1,not.b.is.null)`.
struct FilterParser {
    let resolver: ColumnResolver
    private(set) var filterCount = 0

    init(_ resolver: ColumnResolver) { self.resolver = resolver }

    private var limits: QueryLimits { resolver.limits }

    /// One query parameter that names a column.
    mutating func column(_ name: String, _ value: String) throws(Problem) -> Filter {
        var scanner = GrammarScanner(name)
        let reference = try resolver.reference(&scanner, until: "")
        var text = GrammarScanner(value)
        return try comparison(reference, &text, isNested: false)
    }

    /// The value of `and` or `or`: `(a.eq.1,b.eq.2)`.
    mutating func logic(_ name: String, isAny: Bool, _ value: String) throws(Problem) -> Filter {
        var scanner = GrammarScanner(value)
        let filter = try group(&scanner, isAny: isAny, depth: 1, parameter: name)
        guard scanner.isAtEnd else {
            throw invalid(name, "something follows the closing parenthesis")
        }
        return filter
    }

    // MARK: Logic

    private mutating func group(
        _ scanner: inout GrammarScanner,
        isAny: Bool,
        depth: Int,
        parameter: String
    ) throws(Problem) -> Filter {
        guard depth <= limits.nestingDepthMax else {
            throw Problem(
                .queryTooComplex,
                "Conditions nest deeper than \(limits.nestingDepthMax) levels."
            )
        }
        guard scanner.skip("(") else { throw invalid(parameter, "must be a list in parentheses") }
        var members: [Filter] = []
        repeat {
            members.append(try member(&scanner, depth: depth, parameter: parameter))
        } while scanner.skip(",")
        guard scanner.skip(")") else {
            throw invalid(parameter, "a closing parenthesis is missing or a value needs quotes")
        }
        return isAny ? .any(members) : .all(members)
    }

    private mutating func member(
        _ scanner: inout GrammarScanner,
        depth: Int,
        parameter: String
    ) throws(Problem) -> Filter {
        var isNegated = false
        if scanner.isNext("not.and(") || scanner.isNext("not.or(") {
            isNegated = scanner.skip("not.")
        }
        if scanner.isNext("and(") || scanner.isNext("or(") {
            let isAny = scanner.skip("or")
            if !isAny { _ = scanner.skip("and") }
            let inner = try group(&scanner, isAny: isAny, depth: depth + 1, parameter: parameter)
            return isNegated ? .not(inner) : inner
        }
        let isColumnNegated = resolver.entity.column("not") == nil && scanner.skip("not.")
        let reference = try resolver.reference(&scanner, until: ".,()")
        guard scanner.skip(".") else {
            throw invalid(reference.column.name, "an operator is missing, e.g. eq")
        }
        let filter = try comparison(reference, &scanner, isNested: true)
        return isColumnNegated ? .not(filter) : filter
    }

    // MARK: One comparison

    private mutating func comparison(
        _ reference: ColumnReference,
        _ scanner: inout GrammarScanner,
        isNested: Bool
    ) throws(Problem) -> Filter {
        filterCount += 1
        guard filterCount <= limits.filterCountMax else {
            throw Problem(
                .queryTooComplex,
                "There are more than \(limits.filterCountMax) comparisons.",
                hint: "Use in.(…) for several values of one column."
            )
        }
        let isNegated = scanner.skip("not.")
        let comparison = try operation(reference.column.name, &scanner, isNested: isNested)
        let filter = Filter.comparison(reference, comparison)
        return isNegated ? .not(filter) : filter
    }

    private func operation(
        _ name: String,
        _ scanner: inout GrammarScanner,
        isNested: Bool
    ) throws(Problem) -> Comparison {
        let word = scanner.word()
        let modifier = try modifier(name, &scanner)
        guard scanner.skip(".") else { throw unknownOperator(name, word) }
        if let found = Comparison.Operator(rawValue: word) {
            return try compare(name, found, modifier, &scanner, isNested: isNested)
        }
        if let found = Comparison.FullTextQuery(rawValue: word) {
            return .fullText(
                found,
                configuration: modifier,
                try value(name, &scanner, isNested: isNested)
            )
        }
        guard modifier == nil else { throw invalid(name, "\(word) takes no modifier") }
        if let found = Comparison.Relation(rawValue: word) {
            return .relation(found, try value(name, &scanner, isNested: isNested))
        }
        switch word {
        case "in":
            guard scanner.skip("(") else { throw invalid(name, "in needs a list: in.(a,b)") }
            let values = try elements(name, &scanner, until: ",)", closing: ")")
            try expectEnd(name, scanner, isNested: isNested)
            return .among(values)
        case "is":
            let text = try value(name, &scanner, isNested: isNested).lowercased()
            guard let state = Comparison.State(rawValue: text) else {
                throw invalid(name, "is takes null, not_null, true, false or unknown")
            }
            return .isState(state)
        case "isdistinct":
            return .isDistinctFrom(try value(name, &scanner, isNested: isNested))
        default:
            throw unknownOperator(name, word)
        }
    }

    private func compare(
        _ name: String,
        _ found: Comparison.Operator,
        _ modifier: String?,
        _ scanner: inout GrammarScanner,
        isNested: Bool
    ) throws(Problem) -> Comparison {
        func pattern(_ text: String) -> String {
            found.isPattern ? String(text.map { $0 == "*" ? "%" : $0 }) : text
        }
        guard let modifier else {
            return .compare(found, pattern(try value(name, &scanner, isNested: isNested)))
        }
        guard found != .neq, let quantifier = Comparison.Quantifier(rawValue: modifier) else {
            throw invalid(name, "\(found.rawValue) takes no modifier \(quoteForMessage(modifier))")
        }
        guard scanner.skip("{") else {
            throw invalid(name, "\(modifier) needs a list: \(found.rawValue)(\(modifier)).{a,b}")
        }
        let values = try elements(name, &scanner, until: ",}", closing: "}")
        try expectEnd(name, scanner, isNested: isNested)
        return .compareList(found, quantifier, values.map(pattern))
    }

    private func modifier(
        _ name: String,
        _ scanner: inout GrammarScanner
    ) throws(Problem) -> String? {
        guard scanner.skip("(") else { return nil }
        let modifier = scanner.word()
        guard !modifier.isEmpty, scanner.skip(")") else {
            throw invalid(name, "the modifier of the operator is not closed")
        }
        return modifier
    }

    // MARK: Values

    private func value(
        _ name: String,
        _ scanner: inout GrammarScanner,
        isNested: Bool
    ) throws(Problem) -> String {
        guard isNested else { return scanner.rest() }
        if scanner.next == UInt8(ascii: "\"") {
            guard let text = scanner.quoted() else { throw invalid(name, "a quote is not closed") }
            return text
        }
        if scanner.next == UInt8(ascii: "{") {
            guard let text = scanner.braced() else { throw invalid(name, "a brace is not closed") }
            return text
        }
        return scanner.run(until: ",)")
    }

    private func elements(
        _ name: String,
        _ scanner: inout GrammarScanner,
        until stops: StaticString,
        closing: StaticString
    ) throws(Problem) -> [String] {
        if scanner.skip(closing) { return [] }
        var values: [String] = []
        repeat {
            guard values.count < limits.listElementCountMax else {
                throw Problem(
                    .queryTooComplex,
                    "The list of \(name) has more than \(limits.listElementCountMax) values.",
                    hint: "Split the request.",
                    errors: [FieldError(name, "takes \(limits.listElementCountMax) values at most")]
                )
            }
            if scanner.next == UInt8(ascii: "\"") {
                guard let text = scanner.quoted() else {
                    throw invalid(name, "a quote is not closed")
                }
                values.append(text)
            } else {
                values.append(scanner.run(until: stops))
            }
        } while scanner.skip(",")
        guard scanner.skip(closing) else { throw invalid(name, "the list is not closed") }
        return values
    }

    private func expectEnd(
        _ name: String,
        _ scanner: GrammarScanner,
        isNested: Bool
    ) throws(Problem) {
        if !isNested && !scanner.isAtEnd { throw invalid(name, "something follows the list") }
    }

    // MARK: Problems

    private func unknownOperator(_ name: String, _ word: String) -> Problem {
        Problem(
            .invalidFilter,
            word.isEmpty
                ? "The filter on \(name) has no operator."
                : "The filter on \(name) has no valid operator: \(quoteForMessage(word)).",
            hint: "Write \(name)=eq.value. Operators: \(Comparison.words).",
            errors: [FieldError(name, "needs an operator and a dot before the value")]
        )
    }

    private func invalid(_ name: String, _ message: String) -> Problem {
        Problem(
            .invalidFilter,
            "The filter on \(name) cannot be read: \(message).",
            hint: "Values with , ( ) or quotes stand in double quotes: name.eq.\"a,b\".",
            errors: [FieldError(name, message)]
        )
    }
}

/// One of the values that rows are ordered by.
struct OrderTerm: Sendable {
    let reference: ColumnReference
    let isDescending: Bool
    let areNullsFirst: Bool

    /// The values may be null, so that a page that goes on must think of it.
    var isNullable: Bool { !reference.isWholeColumn || !reference.column.isNotNull }
}

/// Reads `order=created_at.desc.nullslast,name`.
struct OrderParser {
    let resolver: ColumnResolver

    func parse(_ text: String) throws(Problem) -> [OrderTerm] {
        var scanner = GrammarScanner(text)
        if scanner.isAtEnd { return [] }
        var terms: [OrderTerm] = []
        repeat {
            if terms.count == resolver.limits.orderTermCountMax {
                throw Problem(
                    .queryTooComplex,
                    "order names more than \(resolver.limits.orderTermCountMax) columns."
                )
            }
            terms.append(try term(&scanner))
        } while scanner.skip(",")
        guard scanner.isAtEnd else { throw invalid(scanner.rest()) }
        return terms
    }

    private func term(_ scanner: inout GrammarScanner) throws(Problem) -> OrderTerm {
        let reference = try resolver.reference(&scanner, until: ".,(")
        var isDescending: Bool?
        var areNullsFirst: Bool?
        while scanner.skip(".") {
            let word = scanner.word()
            switch word {
            case "asc" where isDescending == nil && areNullsFirst == nil: isDescending = false
            case "desc" where isDescending == nil && areNullsFirst == nil: isDescending = true
            case "nullsfirst" where areNullsFirst == nil: areNullsFirst = true
            case "nullslast" where areNullsFirst == nil: areNullsFirst = false
            default: throw invalid(word)
            }
        }
        let descends = isDescending ?? false
        return OrderTerm(
            reference: reference,
            isDescending: descends,
            areNullsFirst: areNullsFirst ?? descends
        )
    }

    private func invalid(_ text: String) -> Problem {
        Problem(
            .invalidOrder,
            "order cannot be read: \(quoteForMessage(text)) is not expected.",
            hint: "Write order=column.desc.nullslast,other.asc.",
            errors: [FieldError("order", "takes columns with .asc, .desc, .nullsfirst, .nullslast")]
        )
    }
}

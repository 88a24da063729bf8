internal import JSON
internal import Packs

/// Checks the body of a write before the database sees it: every mistake of the body at once.
struct BodyCheck {
    enum Purpose: Equatable {
        /// New rows: required columns must be there.
        case create
        /// A new row of this key, which the body need not name.
        case createAs(key: String)
        /// New rows whose absent columns become null (`columns=` without `missing=default`).
        case createListed
        /// One row by its key.
        case patch(key: String)
        /// The whole of one row by its key.
        case replace(key: String)
        /// Rows that a filter finds.
        case patchMany
    }

    let entity: Entity
    let purpose: Purpose
    /// The caller's; nil for a service that acts for nobody.
    var owner: String?
    /// `columns=`: other members of the body are ignored.
    var listed: [Column]?
    var limits = QueryLimits()

    /// Checks a body of one object or, for creates, an array of objects.
    func check(_ root: JSONValue) throws(Problem) -> CheckedBody {
        let isArray = root.kind == .array
        guard root.kind == .object || (isArray && mayBeArray) else {
            throw Problem(
                .invalidBody,
                mayBeArray
                    ? "The body must be an object or an array of objects."
                    : "The body must be an object."
            )
        }
        if isArray && root.count > limits.bodyRowCountMax {
            throw Problem(
                .tooManyRows,
                "The array has \(root.count) objects.",
                hint: "Send at most \(limits.bodyRowCountMax) in one request."
            )
        }
        var findings = Findings()
        if !isOwnRow {
            findings.add(.ownerMismatch, entity.keyColumn, "is not the owner of this request")
        }
        var names: [Set<String>] = []
        if isArray {
            for (index, element) in root.elements.enumerated() {
                names.append(check(element, at: "\(index).", &findings))
            }
        } else {
            names.append(check(root, at: "", &findings))
        }
        if let problem = findings.problem(entity) { throw problem }
        let union = names.reduce(into: Set<String>()) { $0.formUnion($1) }
        return CheckedBody(
            rowCount: names.count,
            isArray: isArray,
            names: union,
            hasUniformNames: names.allSatisfy { $0 == union }
        )
    }

    // MARK: One object

    /// Whether the path names the caller, where the key is the owner.
    private var isOwnRow: Bool {
        guard let owner, entity.ownerColumn == entity.keyColumn,
            let column = entity.column(entity.keyColumn)
        else { return true }
        switch purpose {
        case .replace(let key), .createAs(let key): return isSame(key, owner, column)
        case .create, .createListed, .patch, .patchMany: return true
        }
    }

    private var mayBeArray: Bool { purpose == .create || purpose == .createListed }

    private func check(
        _ object: JSONValue,
        at place: String,
        _ findings: inout Findings
    ) -> Set<String> {
        guard object.kind == .object else {
            findings.add(.invalidBody, "\(place.dropLast())", "must be an object")
            return []
        }
        var names: Set<String> = []
        var nulls: Set<String> = []
        for (name, value) in object.members {
            guard let column = entity.column(name) else {
                if listed == nil {
                    findings.add(.unknownColumn, place + String(name.prefix(60)), "is not a column")
                }
                continue
            }
            if let listed, !listed.contains(where: { $0.name == name }) { continue }
            names.insert(name)
            // The last of repeated members counts, as in jsonb.
            if value.isNull { nulls.insert(name) } else { nulls.remove(name) }
            if column.isGenerated {
                findings.add(.generatedColumn, place + name, "is made by the database")
            } else if !limits.numbers.allow(value) {
                findings.add(.invalidValue, place + name, "holds a number that is too large")
            } else {
                check(column, value, at: place, &findings)
            }
        }
        checkRequired(names, nulls, at: place, &findings)
        return names
    }

    private func check(
        _ column: Column,
        _ value: JSONValue,
        at place: String,
        _ findings: inout Findings
    ) {
        if column.name == entity.ownerColumn, let owner, !isSame(value, owner, column) {
            findings.add(.ownerMismatch, place + column.name, "is not the owner of this request")
        }
        if column.name == entity.keyColumn {
            switch purpose {
            case .patch(let key), .replace(let key), .createAs(let key):
                if !isSame(value, key, column) {
                    findings.add(.keyMismatch, place + column.name, "is not the key of the path")
                }
            case .create, .createListed, .patchMany: break
            }
        }
        if !column.isArray || value.isNull || value.kind == .array || value.kind == .string {
            return
        }
        findings.add(.invalidValue, place + column.name, "must be an array")
    }

    private func checkRequired(
        _ names: Set<String>,
        _ nulls: Set<String>,
        at place: String,
        _ findings: inout Findings
    ) {
        for column in entity.columns where column.isNotNull && !column.isGenerated {
            if column.name == entity.ownerColumn && owner != nil && !isChange { continue }
            if nulls.contains(column.name) {
                findings.add(.missingColumn, place + column.name, "must not be null")
            } else if isRequired(column), !names.contains(column.name) {
                findings.add(.missingColumn, place + column.name, "is required")
            }
        }
    }

    private var isChange: Bool {
        switch purpose {
        case .patch, .patchMany: true
        case .create, .createAs, .createListed, .replace: false
        }
    }

    private func isRequired(_ column: Column) -> Bool {
        let isKey = column.name == entity.keyColumn
        if column.isFilledByTrigger { return false }
        switch purpose {
        case .patch, .patchMany: return false
        case .replace: return column.defaultExpression == nil && !isKey && !column.isWriteOnly
        case .createAs: return column.defaultExpression == nil && !isKey
        case .create:
            return column.defaultExpression == nil && !(isKey && entity.makesKey)
        case .createListed:
            if listed?.contains(where: { $0.name == column.name }) == true { return true }
            return column.defaultExpression == nil && !(isKey && entity.makesKey)
        }
    }

    private func isSame(_ value: JSONValue, _ text: String, _ column: Column) -> Bool {
        guard let own = value.string ?? value.numberText else { return false }
        return isSame(own, text, column)
    }

    private func isSame(_ one: String, _ other: String, _ column: Column) -> Bool {
        one == other || (column.baseType == "uuid" && one.lowercased() == other.lowercased())
    }
}

/// What the check learned of a body.
struct CheckedBody: Sendable {
    let rowCount: Int
    let isArray: Bool
    /// The columns that the objects name, all together.
    let names: Set<String>
    /// Every object names the same columns.
    let hasUniformNames: Bool
}

/// The mistakes of one body, each with the code it would have alone.
private struct Findings {
    /// Messages beyond this are left out: one is enough to go on with.
    private static let countMax = 100

    private var codes: Set<ProblemCode> = []
    private var errors: [FieldError] = []

    mutating func add(_ code: ProblemCode, _ field: String, _ message: String) {
        codes.insert(code)
        if errors.count < Findings.countMax { errors.append(FieldError(field, message)) }
    }

    func problem(_ entity: Entity) -> Problem? {
        // What is wrong with the body itself comes before what is wrong with whose it is.
        let order: [ProblemCode] = [
            .invalidBody, .unknownColumn, .generatedColumn, .missingColumn, .invalidValue,
            .ownerMismatch, .keyMismatch,
        ]
        guard let code = order.first(where: { codes.contains($0) }) else { return nil }
        let fields = errors.map { "\($0.field) \($0.message)" }
        let more = fields.count > 3 ? ", and \(fields.count - 3) more" : ""
        return Problem(
            code,
            fields.prefix(3).joined(separator: "; ") + more + ".",
            hint: hint(code, entity),
            errors: errors
        )
    }

    private func hint(_ code: ProblemCode, _ entity: Entity) -> String? {
        switch code {
        case .unknownColumn:
            let names = entity.columns.filter { !$0.isGenerated && !$0.isWriteOnly }.map(\.name)
            return "Columns: \(names.joined(separator: ", "))."
        case .generatedColumn: return "Leave it out."
        case .missingColumn:
            guard let owner = entity.ownerColumn,
                errors.contains(where: { $0.field.hasSuffix(owner) })
            else { return nil }
            return "The owner may stand in the header Fourfold-User instead."
        case .ownerMismatch: return "Leave the owner out, or name the one of the request."
        case .keyMismatch: return "Leave the key out of the body."
        default: return nil
        }
    }
}

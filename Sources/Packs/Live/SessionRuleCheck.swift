/// What is wrong with the section `sessions` of a pack, given what the catalog says of its table.
struct SessionRuleCheck {
    let file: String
    let rule: SessionRule
    /// Nil where the pack has no such entity.
    let entity: Entity?
    /// The pack has an owner whose entity has routes.
    let hasOwner: Bool

    var problems: [PackProblem] {
        guard let entity else {
            return [
                problem(
                    "entity", "there is no entity \(rule.entityPath)",
                    "Add it to \"entities\"; \"routes\": false keeps others from writing to it.")
            ]
        }
        var problems: [PackProblem] = []
        if !hasOwner || entity.ownerColumn == nil || entity.ownerColumn == entity.keyColumn {
            problems.append(
                problem(
                    "entity", "its rows have no owner",
                    "Name an owner entity with routes, and give the table the owner's column."))
        }
        if entity.isReadOnly || entity.isAppendOnly {
            problems.append(
                problem("entity", "its rows cannot change", "Use a table that callers may write."))
        }
        if entity.column(entity.keyColumn)?.defaultExpression == nil {
            problems.append(
                problem(
                    "entity", "its key has no default",
                    "Let PostgreSQL make it: DEFAULT gen_random_uuid()."))
        }
        for (place, name) in [("expires", rule.expiresColumn), ("active", rule.activeColumn)]
        where entity.column(name)?.baseType != "timestamp with time zone" {
            problems.append(
                problem(
                    place, "\(name) is no column of type timestamptz", "Name one of the table."))
        }
        let written = [rule.expiresColumn, rule.activeColumn, entity.keyColumn]
        for column in entity.columns
        where column.isTime && column.isNotNull && !column.isGenerated && !column.isFilledByTrigger
            && column.defaultExpression == nil && !written.contains(column.name) {
            problems.append(
                problem(
                    "entity", "\(column.name) is a time that must have a value and has no default",
                    "No caller writes the times of a session: let PostgreSQL make it."))
        }
        if let name = rule.addressColumn, entity.column(name) == nil {
            problems.append(problem("address", "there is no column \(name)", "Name one, or none."))
        }
        return problems
    }

    private func problem(_ place: String, _ message: String, _ remedy: String) -> PackProblem {
        PackProblem(file: file, place: "sessions.\(place)", message, remedy: remedy)
    }
}

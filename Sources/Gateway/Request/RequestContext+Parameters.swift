internal import HTTPServer

extension RequestContext {
    /// Refuses what the query names besides `allowed`: whoever sends a parameter means something
    /// by it, so a request that ignored one would do something else than was asked for.
    ///
    /// - Parameters:
    ///   - allowed: Names that may stand there once each.
    ///   - isRead: `token` may stand there as well; GET and HEAD are reads in any case.
    /// - Returns: The values of those that are there.
    /// - Throws: 400.
    @discardableResult
    func requireParameters(
        _ allowed: String..., isRead: Bool = false
    ) throws(Problem) -> [String: String] {
        guard request.rawQuery != nil else { return [:] }
        let takesToken = isRead || method.isRead
        var values: [String: String] = [:]
        for (name, value) in request.query {
            guard allowed.contains(name) || takesToken && name == "token" else {
                throw RequestContext.parameterProblem(name, "is not taken here", allowed)
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw RequestContext.parameterProblem(name, "is there twice", allowed)
            }
        }
        return values
    }

    private static func parameterProblem(
        _ name: String, _ message: String, _ allowed: [String]
    ) -> Problem {
        Problem(
            .invalidParameter, "A parameter of the query \(message).",
            hint: allowed.isEmpty
                ? "Send it without a query; what a filter finds is written at the collection."
                : "Parameters here: \(allowed.joined(separator: ", ")).",
            errors: [FieldError(String(name.prefix(60)), message)])
    }
}

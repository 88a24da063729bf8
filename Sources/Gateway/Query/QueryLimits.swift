internal import JSON

/// How much one request may ask of a list or send in a body.
struct QueryLimits: Sendable {
    /// Rows of a page where the request does not say.
    var pageRowCountDefault = 100
    /// Rows of a page at most; a greater `limit` is cut to it, as PostgREST's `max-rows` does.
    var pageRowCountMax = 1_000
    /// Rows that `offset` may skip; deeper pages are for `cursor`.
    var offsetMax = 100_000
    /// Comparisons in one request, nested ones included.
    var filterCountMax = 100
    /// Values of one `in.(…)` or `any`/`all` list.
    var listElementCountMax = 1_000
    /// Levels of `and(…)` and `or(…)`.
    var nestingDepthMax = 10
    /// Arrows in one JSON path.
    var pathStepCountMax = 10
    var selectItemCountMax = 200
    var orderTermCountMax = 10
    var cursorByteCountMax = 8_192
    /// Objects in the array of one POST.
    var bodyRowCountMax = 1_000
    var numbers = JSONNumberBounds()
    /// Rows that `count=estimated` counts before it trusts the planner.
    var estimatedCountRowMax = 10_000
}

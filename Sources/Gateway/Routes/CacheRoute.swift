internal import HTTPServer
internal import Live

extension Gateway {
    /// ``perform(_:completion:)-(CacheRequest,_)`` for a request that was not taken directly.
    func cache(
        _ context: RequestContext, _ cache: ServedCache, id: String
    ) async throws(Problem) -> HTTPResponse {
        let request = try CacheRequest(context, cache, id: id)
        return await withUnsafeContinuation { continuation in
            perform(request) { continuation.resume(returning: $0) }
        }
    }

    /// - Parameter completion: Called once, on the loop.
    func perform(
        _ request: CacheRequest, completion: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        caches.read(request.cache.source, id: request.id, deadline: request.deadline) { answer in
            completion(request.answer(answer))
        }
    }
}

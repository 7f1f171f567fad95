using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Reads of layers that take no lock. What a snapshot shows never changes, but the files that it lies in do: a merge writes one,
/// lets another build on it and removes it. So whoever has read them looks at the catalog once more, and begins again if it says
/// something else.
/// </summary>
internal static class UnlockedReading
{
    private const int MaximumLooks = 3;

    /// <param name="store">The catalog.</param>
    /// <param name="read">Reads what a catalog names.</param>
    /// <param name="holds">
    /// Whether what was read counts, after the catalog it was read by has become another one. An error never does: by now it may
    /// be none.
    /// </param>
    /// <exception cref="CoppiceException">It was another one each time (<see cref="ErrorKind.Busy"/>).</exception>
    public static async Task<T> ReadAsync<T>(CatalogStore store, Func<Catalog, Task<T>> read, Func<T, Catalog, Catalog, bool> holds)
    {
        var name = "";
        for (var look = 0; look < MaximumLooks; look++)
        {
            var before = store.Read();
            name = before.Name;
            try
            {
                var answer = await read(before).ConfigureAwait(false);
                if (store.Read() is var now && (now.Last == before.Last || holds(answer, before, now)))
                {
                    return answer;
                }
            }
            catch (CoppiceException) when (store.Read().Last != before.Last)
            {
                // What was to be read has gone, or been moved.
                continue;
            }
        }

        throw new CoppiceException(
            ErrorKind.Busy, $"domain '{name}'", "was changed each time while its images were read, by a merge or another command",
            "try again when that is done");
    }
}

namespace Coppice.Core;

/// <summary>
/// Whether a guest that goes on from memory once more learns of it: its generation id is another then, so that it does not repeat
/// its random numbers.
/// </summary>
internal static class GuestGeneration
{
    /// <summary>
    /// What is added to the mechanism of a plan for a guest that is not told; empty for one that is, or that boots.
    /// </summary>
    /// <param name="definition">The definition under which it goes on.</param>
    /// <param name="hasMemory">Whether it goes on from memory.</param>
    public static string Untold(DomainDefinition definition, bool hasMemory) =>
        hasMemory && definition.GenerationId is null ? "; the guest is not told: it has no generation id" : "";
}

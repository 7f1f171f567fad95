using Coppice.Core;
using static Coppice.Tests.Engine.Before;

namespace Coppice.Tests.Engine;

/// <summary>What carries a domain elsewhere.</summary>
internal static class ExportScenarios
{
    public static IReadOnlyDictionary<string, Scenario> All { get; } = new Dictionary<string, Scenario>(StringComparer.Ordinal)
    {
        ["export"] = new(new ExportDomain(World.Name, "/"), WithSnapshots) { Asks = ExportTests.Export },
        ["import"] = new(new ImportDomain("/"), Exported) { Asks = ExportTests.Import },
    };

    private static async Task Exported(World world)
    {
        await WithSnapshots(world);
        await world.RunAsync(ExportTests.Export(world));
    }
}

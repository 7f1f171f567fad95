using Coppice.Contracts.Libvirt;
using Coppice.Libvirt.Wire;

namespace Coppice.Tests.Libvirt;

/// <summary>Every procedure, called with bytes that nobody made up. By itself: what is allocated is that of the whole process.</summary>
[CollectionDefinition(nameof(RandomCallTests), DisableParallelization = true)]
[Collection(nameof(RandomCallTests))]
public sealed class RandomCallTests
{
    private static readonly FrameHeader s_call = new(Programs.Remote, 1, 0, FrameType.Call, 0, FrameStatus.Ok);

    [Fact]
    public async Task Calls_of_random_bytes_are_answered_or_refused_and_the_server_goes_on()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.DefineAsync();
        await using var client = await bed.OpenAsync();
        var random = new Random(6);
        var before = GC.GetTotalAllocatedBytes(precise: true);
        for (var procedure = 1; procedure < 460; procedure++)
        {
            if (procedure == ConnectionProcedures.Close.Number)
            {
                continue;
            }

            var payload = new byte[random.Next(0, 64)];
            random.NextBytes(payload);
            if (payload.Length >= 4)
            {
                // Lengths that could be are worth more than those that are refused at once.
                payload[0] = payload[1] = payload[2] = 0;
            }

            try
            {
                await client.CallAsync(s_call with { Procedure = procedure }, payload);
            }
            catch (WireRefusalException e)
            {
                Assert.DoesNotContain("internal error: Sys", e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain("Exception", e.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 64 << 20);
        Assert.Equal(EndpointBed.Web, await client.CallAsync(DomainProcedures.LookupByName, "web"));
    }
}

using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>
/// A guest whose memory is loaded once more learns of it from its generation id (R228). The kernel of the witness guest has no driver
/// for that, so the id is read where a driver would: in the guest's memory, at the address that its ACPI table names.
/// </summary>
public sealed partial class GenerationTests
{
    private const string Copy = "copy";

    [Fact]
    public async Task A_guest_reads_a_new_generation_id_when_it_is_reverted_or_forked_and_keeps_it_otherwise()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootEditedAsync(
            (xml, _) => xml.Replace("<memory ", "<genid/><memory ", StringComparison.Ordinal));
        var (address, defined) = (await AddressAsync(domain), await DefinedAsync(domain, LiveDomain.Name));
        Assert.Equal(defined, await ReadAsync(domain, LiveDomain.Name, address));
        await domain.CreateAsync("one");
        Assert.Equal(defined, await ReadAsync(domain, LiveDomain.Name, address));

        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "one", Copy) { State = ForkState.Running });
        var forked = await ReadAsync(domain, Copy, address);
        Assert.Equal(await DefinedAsync(domain, Copy), forked);
        Assert.Equal(defined, await ReadAsync(domain, LiveDomain.Name, address));

        var seen = new List<Guid> { defined, forked };
        foreach (var name in new[] { LiveDomain.Name, LiveDomain.Name, Copy })
        {
            await domain.RunAsync(new RevertSnapshot(name, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false));
            seen.Add(await ReadAsync(domain, name, address));
        }

        Assert.Equal(seen.Count, seen.Distinct().Count());
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Where the id is: the firmware has written the address of its page behind a name in a table.</summary>
    private static async Task<uint> AddressAsync(LiveDomain domain)
    {
        const int OffsetInPage = 40;
        var table = Convert.ToHexString("VGIA"u8) + "0C";
        var text = await RunAsync(
            domain, LiveDomain.Name, "for t in /sys/firmware/acpi/tables/SSDT*; do hexdump -v -e '1/1 \"%02X\"' $t; echo; done");
        var found = text[(text.IndexOf(table, StringComparison.Ordinal) + table.Length)..];
        return BinaryPrimitives.ReadUInt32LittleEndian(Convert.FromHexString(found.AsSpan(0, 8))) + OffsetInPage;
    }

    /// <summary>What the guest reads there.</summary>
    private static async Task<Guid> ReadAsync(LiveDomain domain, string name, uint address)
    {
        var printed = await RunAsync(domain, name, string.Create(CultureInfo.InvariantCulture, $"devmem {address} 64; devmem {address + 8} 64"));
        var halves = Eight().Matches(printed).Select(m => ulong.Parse(m.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        byte[] bytes = [.. halves.SelectMany(BitConverter.GetBytes)];
        Assert.True(bytes.Length == 16, $"the guest cannot read its memory there: {printed}");
        return new Guid(bytes);
    }

    private static async Task<string> RunAsync(LiveDomain domain, string name, string command) =>
        await GuestShell.RunAsync((await domain.Home.ShowAsync(name, Cancellation)).Folder, command, Cancellation);

    private static async Task<Guid> DefinedAsync(LiveDomain domain, string name) =>
        (await domain.Home.ShowAsync(name, Cancellation)).Definition.GenerationId!.Value;

    [GeneratedRegex("0x([0-9A-F]{16})")]
    private static partial Regex Eight();
}

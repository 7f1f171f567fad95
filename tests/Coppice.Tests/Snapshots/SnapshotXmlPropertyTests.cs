using System.Xml;
using Coppice.Core;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Snapshots;

public sealed class SnapshotXmlPropertyTests
{
    private const string Uuid = "6d9f1c1e-52a4-4b1e-8f0a-3c1c2f7b9a10";

    // Whatever XML can hold, with a letter so that white space is not all there is.
    private static readonly Gen<string> s_text =
        from text in ArbMap.Default.GeneratorFor<NonNull<string>>()
        from odd in Gen.Elements("", "\r\n", "\t", "<&>'\"]]>", "\U0001F333", "ü", "&amp;")
        select string.Concat($"{text.Get}{odd}".Where(c => XmlConvert.IsXmlChar(c) || char.IsSurrogate(c))) is var kept
            && IsWellFormed(kept) ? $"x{kept}y" : "xy";

    private static readonly Gen<string> s_path = s_text.Select(t => $"/{t.Replace('\n', '_').Replace('\r', '_')}");

    private static readonly Gen<DiskRequest> s_disk =
        from target in Gen.Elements("vda", "vdb", "sda", "/images/a b.qcow2")
        from mode in Gen.Elements(DiskMode.None, DiskMode.Internal, DiskMode.External, DiskMode.Manual)
        from file in s_path.OrNull()
        from format in Gen.Elements("qcow2", "qed")
        select mode == DiskMode.External ? new DiskRequest(target, mode, file, format) : new DiskRequest(target, mode);

    private static readonly Gen<MemoryRequest> s_memory =
        from mode in Gen.Elements(MemoryMode.None, MemoryMode.Internal, MemoryMode.External)
        from file in s_path
        from disk in Gen.Elements(null, "vda")
        select new MemoryRequest(
            mode, mode == MemoryMode.External ? file : null, mode == MemoryMode.Internal ? disk : null);

    private static readonly Gen<SnapshotDocument> s_document =
        from name in Gen.Elements("a", "two words", "ünï", "<&>\"'", "\U0001F333")
        from description in Gen.OneOf(Gen.Constant(""), s_text)
        from parent in Gen.Elements(null, "root", "a&b")
        from memory in s_memory
        from state in Gen.Elements(Enum.GetValues<SnapshotState>())
        from disks in s_disk.ListOf().Resize(4)
        from seconds in Gen.Choose(0, int.MaxValue)
        from id in ArbMap.Default.GeneratorFor<Guid>()
        from active in Gen.Elements<bool?>(null, true, false)
        from cookie in Gen.Elements(null, "<cookie><a:b xmlns:a=\"urn:a\" a:c=\"1\">d</a:b></cookie>")
        select new SnapshotDocument
        {
            Name = name,
            Id = new SnapshotId(id),
            Description = description,
            State = state,
            Parent = parent,
            CreatedAt = DateTimeOffset.FromUnixTimeSeconds(seconds),
            Memory = state is SnapshotState.Shutoff or SnapshotState.DiskSnapshot ? new MemoryRequest(MemoryMode.None) : memory,
            Disks = [.. disks.DistinctBy(d => d.Target)],
            DomainId = DomainId.Parse(Uuid),
            Domain = $"<domain><uuid>{Uuid}</uuid></domain>",
            Cookie = cookie,
            IsActive = active,
        };

    [Fact]
    public void A_document_that_is_written_and_read_is_the_same() => Prop.ForAll(Arb.From(s_document), document =>
    {
        var read = SnapshotXml.Parse(SnapshotXml.Format(document), SnapshotParseMode.Redefine);
        return read.Disks.SequenceEqual(document.Disks) && read with { Disks = document.Disks } == document;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [Fact]
    public void A_document_read_as_a_request_asks_for_its_memory_and_disks() => Prop.ForAll(Arb.From(s_document), document =>
    {
        var request = SnapshotXml.Parse(SnapshotXml.Format(document), SnapshotParseMode.Create).ToRequest("web");
        return request.Name == document.Name && request.Disks.SequenceEqual(document.Disks)
            && request.Memory == document.Memory! with { Disk = null };
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public Task Documents_are_valid_by_libvirts_schema() =>
        Schema.AssertValidAsync(s_document.Sample(200, 20).Select(SnapshotXml.Format));

    [Fact]
    public void Documents_are_valid_by_our_own_grammar() => Assert.All(s_document.Sample(200, 20).Select(SnapshotXml.Format), SnapshotXml.Validate);

    [Fact]
    public void Any_text_is_read_or_refused() => Prop.ForAll(Arb.From(s_document), Arb.From(Gen.Choose(0, 5000)), (document, at) =>
    {
        var xml = SnapshotXml.Format(document);
        var broken = xml.Remove(at % xml.Length, Math.Min(at % 7, xml.Length - (at % xml.Length)));
        return TryParse(broken, SnapshotParseMode.Create) && TryParse(broken, SnapshotParseMode.Redefine);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    private static bool TryParse(string xml, SnapshotParseMode mode)
    {
        try
        {
            return SnapshotXml.Parse(xml, mode) is not null;
        }
        catch (CoppiceException e)
        {
            return e.Kind is ErrorKind.InvalidInput or ErrorKind.Forbidden;
        }
    }

    private static bool IsWellFormed(string text) => !text.EnumerateRunes().Contains(System.Text.Rune.ReplacementChar);
}

using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What a definition says for people and programs changes under a guest that runs on.</summary>
public sealed class EditDomainTests : IDisposable
{
    private const string Ours = "http://example.org/ours", Theirs = "http://example.org/theirs";

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_guest_runs_on_and_its_snapshots_say_what_they_said()
    {
        await _world.ThreeAsync(runs: true);
        var before = _world.Catalog.Head;
        await _world.RunAsync(new EditDomain(World.Name, "A title", "What it is for"));
        var definition = await DefinitionAsync();
        Assert.Equal(("A title", "What it is for"), (definition.Title, definition.Description));
        Assert.Equal((before.Process, before.SameAs), (_world.Catalog.Head.Process, _world.Catalog.Head.SameAs));
        Assert.Equal(before.Disks, _world.Catalog.Head.Disks);
        Assert.Single(_world.Host.State.Processes);
        Assert.True(File.Exists(_world.Domain.Definition(before.Definition)), "snapshots still have it");

        await _world.RunAsync(new RevertSnapshot(World.Name, "one", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.Null((await DefinitionAsync()).Title);
        await _world.RunAsync(new UndoRevert(World.Name, Force: false));
        Assert.Equal("A title", (await DefinitionAsync()).Title);
    }

    [Fact]
    public async Task What_nothing_names_any_more_goes_and_what_says_the_same_does_nothing()
    {
        await _world.DefineAsync();
        var before = _world.Catalog.Head.Definition;
        await _world.RunAsync(new EditDomain(World.Name, "A title"));
        Assert.False(File.Exists(_world.Domain.Definition(before)));
        var revision = _world.Catalog.Revision;
        await _world.RunAsync(new EditDomain(World.Name, "A title"));
        Assert.Equal(revision, _world.Catalog.Revision);
        await _world.RunAsync(new EditDomain(World.Name, Title: "", Description: "x"));
        Assert.Equal((null, "x"), ((await DefinitionAsync()).Title, (await DefinitionAsync()).Description));
    }

    [Fact]
    public async Task Each_program_has_an_element_of_its_own()
    {
        await _world.DefineAsync();
        await NoteAsync(Ours, "<note who='me'>hi<b/></note>");
        await NoteAsync(Theirs, "<x/>");
        await NoteAsync(Ours, "<note>again</note>");
        Assert.Equal([("<note>again</note>"), ("<x />")], Notes(await DefinitionAsync()));
        await NoteAsync(Ours, null);
        Assert.Equal([("<x />")], Notes(await DefinitionAsync()));
        await NoteAsync(Theirs, null);
        Assert.Null((await DefinitionAsync()).Metadata);
    }

    [Theory]
    [InlineData("", "p", "<a/>", "URI")]
    [InlineData(Ours, "1 p", "<a/>", "cannot stand")]
    [InlineData(Ours, "xmlns", "<a/>", "cannot stand")]
    [InlineData(Ours, "", "<a/>", "cannot stand")]
    [InlineData(Ours, "p", "<a xmlns='http://example.org/other'/>", "not of")]
    [InlineData("http://www.w3.org/2000/xmlns/", "p", "<a/>", "")]
    [InlineData("http://www.w3.org/XML/1998/namespace", "p", "<a/>", "")]
    [InlineData(Ours, "p", "</metadata><metadata>", "")]
    [InlineData(Ours, "p", "<a/><b/>", "one element")]
    [InlineData(Ours, "p", "<a", "")]
    [InlineData(Ours, "p", "", "")]
    [InlineData(Ours, "p", "<!DOCTYPE a><a/>", "")]
    public async Task What_is_no_note_is_refused_and_changes_nothing(string @namespace, string prefix, string element, string why)
    {
        await _world.DefineAsync();
        var revision = _world.Catalog.Revision;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name) { Note = new(@namespace, prefix, element) }));
        Assert.True(error.Kind is ErrorKind.InvalidInput or ErrorKind.Forbidden, error.Message);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Equal(revision, _world.Catalog.Revision);
    }

    [Theory]
    [InlineData("two\nlines", null)]
    [InlineData("\u0001", null)]
    [InlineData(null, "\uFFFF")]
    public async Task Text_that_a_definition_cannot_have_is_refused(string? title, string? description)
    {
        await _world.DefineAsync();
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name, title, description)));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Empty(await _world.Open().CheckAsync(World.Name));
    }

    [Fact]
    public async Task A_domain_that_runs_is_defined_as_it_is_and_stays_from_then_on_R166()
    {
        await _world.RunAsync(new RunTransient(World.Definition(), Paused: false));
        var process = _world.Catalog.Head.Process;
        await _world.RunAsync(new DefineDomain(World.Definition() with { Title = "A title" }));
        Assert.Equal((Persistence.Persistent, process), (_world.Catalog.Persistence, _world.Catalog.Head.Process));
        Assert.Equal("A title", (await DefinitionAsync()).Title);
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.Equal("A title", (await DefinitionAsync()).Title);

        await _world.StartAsync();
        var revision = _world.Catalog.Revision;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition() with { VirtualCpus = 7 })));
        Assert.Equal((ErrorKind.WrongState, revision), (error.Kind, _world.Catalog.Revision));
        Assert.Contains("coppice stop web", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_written_that_could_not_be_read_again()
    {
        await _world.DefineAsync();
        var ampersands = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name, Description: new string('&', 300_000))));
        Assert.Equal(ErrorKind.InvalidInput, ampersands.Kind);
        var deep = string.Concat(Enumerable.Repeat("<a>", 63)) + string.Concat(Enumerable.Repeat("</a>", 63));
        Assert.Equal(ErrorKind.InvalidInput, (await HomeTests.FailAsync(() => NoteAsync(Ours, deep))).Kind);
        var large = $"<a>{new string('x', 400_000)}</a>";
        await NoteAsync(Ours, large);
        await NoteAsync(Theirs, large);
        Assert.Equal(ErrorKind.InvalidInput, (await HomeTests.FailAsync(() => NoteAsync($"{Ours}/more", large))).Kind);
        await NoteAsync(Ours, null);
        Assert.Single(Notes(await DefinitionAsync()));
    }

    [Fact]
    public async Task A_note_comes_back_as_it_was_given()
    {
        const string Mixed = "<p><b>a</b> <i>b</i><!-- kept --></p>";
        await _world.DefineAsync();
        await NoteAsync(Ours, Mixed);
        Assert.Equal([Mixed], Notes(await DefinitionAsync()));
        await _world.RunAsync(new DefineDomain(World.Definition() with
        {
            Metadata = $"<metadata><a xmlns='{Ours}'><c xmlns='{Theirs}'><b xmlns='{Ours}'/></c></a></metadata>",
        }));
        Assert.Contains("<b", Assert.Single(Notes(await DefinitionAsync())), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sizes_change_while_it_is_off_and_its_snapshots_keep_theirs()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        await _world.RunAsync(new EditDomain(World.Name) { Memory = new ByteCount(8 << 20), VirtualCpus = 3 });
        var definition = await DefinitionAsync();
        Assert.Equal((new ByteCount(8 << 20), 3), (definition.Memory, definition.VirtualCpus));
        await _world.RunAsync(new EditDomain(World.Name) { CurrentMemory = new ByteCount(4 << 20) });
        await _world.RunAsync(new EditDomain(World.Name) { Memory = new ByteCount(2 << 20) });
        Assert.Null((await DefinitionAsync()).CurrentMemory);
        foreach (var size in (long[])[0, 3 << 20])
        {
            var refused = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name) { CurrentMemory = new ByteCount(size) }));
            Assert.Equal(ErrorKind.InvalidInput, refused.Kind);
        }

        await _world.StartAsync();
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name) { VirtualCpus = 2 }))).Kind);
        await _world.RunAsync(new SaveDomain(World.Name));
        var saved = await HomeTests.FailAsync(() => _world.RunAsync(new EditDomain(World.Name) { VirtualCpus = 2 }));
        Assert.Contains("--anew", saved.Message, StringComparison.Ordinal);
        await _world.RunAsync(new EditDomain(World.Name, "It is saved"));
        await _world.StartAsync();
        Assert.Equal("It is saved", (await DefinitionAsync()).Title);
    }

    [Fact]
    public async Task What_is_defined_as_it_is_anew_is_left_alone()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var revision = _world.Catalog.Revision;
        await _world.DefineAsync();
        Assert.Equal(revision, _world.Catalog.Revision);
    }

    [Fact]
    public async Task A_kill_that_means_one_process_leaves_another_alone()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var process = _world.Catalog.Head.Process;
        await _world.RunAsync(new KillDomain(World.Name) { Process = new ShortId("other") });
        Assert.Equal(process, _world.Catalog.Head.Process);
        await _world.RunAsync(new KillDomain(World.Name) { Process = process });
        Assert.Null(_world.Catalog.Head.Process);
    }

    private async Task NoteAsync(string @namespace, string? element) => await
        _world.RunAsync(new EditDomain(World.Name) { Note = new DomainNote(@namespace, "p", element) });

    private static string[] Notes(DomainDefinition definition) =>
        [.. DomainNote.ReadAll(definition.Metadata).OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => n.Value)];

    private async Task<DomainDefinition> DefinitionAsync() => (await _world.Open().ShowAsync(World.Name)).Definition;
}

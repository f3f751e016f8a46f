"""Rooms, halls and table tops, as `settings` reads them."""

BLOCKS = """
kitchen / interior / in: a farmhouse kitchen with a slate floor
things: black iron *stove* with a bent chimney pipe; scrubbed oak *table* with one drawer; tall blue *dresser* full of
plates; copper *kettle* on a wire stand; wicker *basket* of onions; three-legged *stool* with a cracked seat
fronts: a string of drying peppers; the corner of a stone sink
movers: a grey cat > strolls along the worktop; steam > curls out of a pot and thins under the beams

library / interior / in: a reading room with galleries on two floors
things: brass *globe* in a wooden cradle; leather *armchair* with a torn cushion; spiral *staircase* of dark iron;
long green-topped *desk*; marble *bust* of a bearded scholar; ladder-backed *chair* with a folded coat on it
fronts: a shelf of atlases; a turned wooden banister
movers: a clerk with a trolley > wheels a load of books between the desks; a page > lifts in the draught and settles

workshop / interior / in: a violin maker's workshop with shavings on the boards
things: heavy beech *bench* with a vice; half-built *cello* without strings; glue *pot* on a small burner; tall
*cabinet* of tiny drawers; foot-driven *lathe* with a canvas belt; clamped *frame* of bent ribs
fronts: a rack of hanging scroll patterns; a dusty bulb on a cord
movers: an old man in an apron > planes a spruce board with long strokes; wood dust > sinks through the beam of light

restaurant / interior / in: a small restaurant before opening time
things: round *table* set for two; zinc-topped *bar* with six taps; red velvet *bench* along the wall; tiered dessert
*trolley* with glass covers; potted *palm* in a brass tub; chalk *board* with the menu of the day
fronts: a hat stand with one scarf; a column wrapped in mirror tiles
movers: a waiter in a long apron > lays forks beside the plates; a ceiling fan > stirs the paper lanterns

greenhouse / interior / in: a Victorian greenhouse with fogged panes
things: stone *basin* with water lilies; giant *fern* in a barrel; cast-iron *bench* painted white; lemon *tree* in a
square planter; watering *can* with a long spout; moss-covered *pillar* with a vine
fronts: a broad banana leaf; a hanging pot of trailing ivy
movers: a gardener in rubber boots > sprays the upper leaves; two butterflies > chase each other over the basin

museum / interior / in: a natural history hall with a vaulted glass roof
things: mounted *skeleton* of a whale calf; glass *case* of beetles; bronze *bell* on an oak block; scale *model* of a
steamship; seated stone *lion* missing a paw; tall *plinth* with a meteorite
fronts: a rope between two brass posts; the edge of a display case
movers: a school class in yellow caps > crosses the hall in pairs; a guard > walks from one arch to another

theatre / interior / in: an empty theatre seen from the stage wings
things: painted canvas *castle* on castors; gilded *throne* with a split arm; upright *piano* with its lid open; *row*
of folding seats in red plush; stage *trapdoor* framed in brass; tall *mirror* on a swivel stand
fronts: the heavy edge of a curtain; a bundle of ropes on a pin rail
movers: a dancer in practice clothes > spins across the boards; two stagehands > carry a painted tree to its mark

station hall / interior / in: a railway station hall with a coffered ceiling
things: four-faced *clock* on a bronze post; wooden ticket *booth* with a hatch; *stack* of leather suitcases; long
curved *bench* of walnut; flower *stall* under a striped awning; weighing *machine* with a mirror
fronts: a tiled column; a newspaper rack
movers: a porter in a blue cap > hauls a luggage cart over the tiles; pigeons > flutter between the arches

laundry / interior / in: a self-service laundry late in the day
things: front-loading *washer* with an open hatch; orange plastic *chair* bolted to the floor; wheeled wire *hamper*;
soap *dispenser* with a coin slot; folding *table* with a stack of towels; square *dryer* with a glowing dial
fronts: a row of shirts on hangers; a pillar with paper notices
movers: a student with headphones > folds sheets on the table; a drum > tumbles a mix of coloured clothes

attic / interior / in: an attic under bare rafters
things: dressmaker's *dummy* on an iron foot; steamer *trunk* with brass corners; cracked rocking *horse*; gramophone
*cabinet* with a flared horn; rolled *carpet* tied with string; doll's *house* with its front off
fronts: a slanting beam; a bed sheet over some tall furniture
movers: a small girl with a torch > kneels and opens the trunk; a moth > flickers about the bulb

hospital corridor / interior / in: a hospital corridor with a polished green floor
things: steel *trolley* with folded linen; wheeled *bed* with raised rails; water *cooler* with paper cups;
glass-fronted medicine *cabinet*; *row* of linked plastic chairs; drip *stand* with two hooks
fronts: a half-open swing door; a tall rubber plant
movers: a nurse with a clipboard > hurries between two doors; a cleaner > mops the floor in wide curves

swimming hall / interior / in: an old swimming hall with mosaic walls
things: diving *tower* of white concrete; lifeguard's *chair* with five steps; *coil* of lane rope; marble *fountain*
shaped like a shell; changing *cabin* with a slatted door; brass *handrail* at the steps
fronts: a tiled pier; a towel over a rail
movers: a swimmer in a red cap > crosses the pool with slow strokes; ripples > spread from the steps

chapel / interior / in: a whitewashed chapel with a timber roof
things: stone *font* with a wooden lid; carved *pulpit* with a curved stair; iron candle *stand* with nine arms; oak
*pew* with a high end; small pipe *organ* behind a screen; model *ship* on a bracket
fronts: a thick round pillar; a bunch of dried wheat on a nail
movers: an organist in black > turns the pages of her music; candle flames > waver in the draught

server room / interior / in: a server room with a raised floor
things: black *rack* with blinking lights; yellow cable *tray* on legs; grey *console* with two screens; portable
*cooler* with a fat hose; *stack* of sealed cartons; red fire *cylinder* in a bracket
fronts: a glass partition; a curtain of orange cables
movers: a technician on a stool > swaps a drive in the third slot; status lamps > flicker in waves

watch bench / tabletop / in: a watchmaker's bench top covered with green felt
things: pocket *watch* without its case; brass *loupe* on a wire arm; glass *dome* over a balance wheel; *tray* of
tiny screws; wooden *block* with tweezers; oil *cup* with a lid
fronts: the blurred rim of a lamp; a spool of silk thread
movers: a gloved hand > lowers a gear into place; the balance wheel > swings to and fro

breakfast / tabletop / in: a breakfast table by a window
things: white *teapot* with a chipped spout; soft-boiled *egg* in a blue cup; *jar* of orange marmalade; *stack* of
toast in a silver rack; folded *newspaper* with a coffee ring; small *vase* with one tulip
fronts: the rim of a glass of juice; a bread knife on a board
movers: honey > runs off a spoon in a thin thread; a hand with a ring > pours milk into a cup

chess / tabletop / in: a chess game halfway through on a stone board
things: black *queen* with a nicked crown; white *knight* of polished bone; *row* of captured pawns; wooden game
*clock* with two faces; *cup* of cold coffee; folded *pair* of glasses
fronts: an out-of-focus rook; the back of a leaning chair
movers: an old hand > lifts a bishop and sets it down; a shadow > slides over the squares

fruit still life / tabletop / in: a still life on a linen cloth
things: pewter *jug* with a long neck; halved *pomegranate* on a plate; *bunch* of dusty grapes; peeled *lemon* with
its rind hanging; round *loaf* with a torn crust; green glass *goblet*
fronts: a fold of heavy cloth; a single pear at the table's edge
movers: a wasp > crawls over the grapes; a drop > swells and falls from the jug

model town / tabletop / in: a model railway town on a trestle table
things: tin *station* with a clock; plaster *hill* with a tunnel mouth; *row* of paper houses; water *tower* on thin
stilts; toy *church* with a crooked spire; mirror *pond* with two swans
fronts: a lamp post the size of a match; a bush made of sponge
movers: a short goods train > rattles over the points; a tiny barrier > sinks across the road

electronics / tabletop / in: an electronics bench with an anti-static mat
things: green circuit *board* with a fan; soldering *iron* in a spring holder; oscilloscope *box* with a round screen;
*reel* of bright solder; magnifying *glass* on a goose neck; *tray* of coloured resistors
fronts: a bundle of test leads; the edge of an open drawer
movers: a thin thread of smoke > climbs from the iron's tip; a small robot arm > places a chip on the board

pottery / tabletop / in: a potter's table with clay smears
things: tall unfired *vase* with two handles; *lump* of red clay under cloth; *bowl* of cloudy water; *row* of glazed
tiles; turntable *wheel* of cast iron; *bundle* of wooden tools in a jar
fronts: a sponge on the rim of a bucket; a half-finished mug
movers: two wet hands > draw up the wall of a bowl; slip > drips from a brush

toys / tabletop / in: a nursery shelf at a child's eye level
things: tin *robot* with square eyes; striped spinning *top*; stuffed *bear* with one button eye; *tower* of alphabet
blocks; red wooden *engine* with a bell; *set* of nested dolls
fronts: the ear of a plush rabbit; a paper windmill
movers: a wind-up mouse > circles the blocks; a marble > runs along the edge and drops

chemistry / tabletop / in: a chemistry bench of dark stone
things: round *flask* with violet liquid; spirit *burner* with a blue flame; *rack* of corked tubes; brass *balance*
under glass; coil *condenser* on a clamp; white porcelain *mortar* with its pestle
fronts: a bottle of amber glass; the arm of a retort stand
movers: bubbles > rise through the violet liquid; a gloved hand > tips powder into the flask

sushi counter / tabletop / in: a sushi counter of pale cypress
things: square *plate* with five pieces; cedar *tub* of rice; sharkskin *grater* with wasabi; ceramic *bottle* of soy;
bamboo rolling *mat*; lacquered *bowl* with a lid
fronts: a pair of chopsticks on a rest; a noren cloth at the top edge
movers: a chef's hands > press rice into an oval; vapour > drifts from the lacquered bowl
"""

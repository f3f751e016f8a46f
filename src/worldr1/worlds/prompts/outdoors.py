"""Streets, landscapes and works, as `settings` reads them."""

BLOCKS = """
old town lane / street / out: a narrow lane between plastered houses
things: blue *bicycle* with a front basket; stone *well* with a wooden lid; green *door* under a fanlight; wrought
*lamp* on a bracket; terracotta *pot* with a fig; wooden *cart* with tall wheels
fronts: a line of washing; the corner of a shuttered window
movers: a boy with a loaf under his arm > runs over the cobbles; a tabby cat > leaps from sill to sill

night market / street / out: a night market between brick warehouses
things: steaming noodle *cart* with a red canopy; *pyramid* of oranges; glass *counter* of sweets; *stack* of bamboo
steamers; paper *dragon* on a pole; blue *scooter* with a crate
fronts: a row of paper lanterns; the shoulder of a shopper
movers: a cook in a white vest > tosses noodles above the flames; shoppers with umbrellas > squeeze between the stalls

harbour quay / street / out: a harbour quay with iron bollards
things: moored fishing *boat* with a yellow mast; *heap* of nets with cork floats; striped *buoy* on its side; rusted
*anchor* taller than a man; ice *shed* with a sliding hatch; *pile* of lobster pots
fronts: a thick mooring rope; a stack of fish crates
movers: a fisherman in oilskins > throws a coil of rope ashore; gulls > wheel over the masts

suburb / street / out: a quiet suburban road with plane trees
things: white *van* with its doors open; mail *box* on a crooked post; basketball *hoop* over a garage; clipped
*hedge* in the shape of a bird; red *tricycle* on a lawn; brick *porch* with two columns
fronts: a parked estate car; a low branch
movers: a postwoman with a shoulder bag > walks from gate to gate; a sprinkler > throws arcs of water over the grass

crossing / street / out: a city crossing among glass towers
things: yellow *taxi* with a roof sign; round *kiosk* plastered with posters; traffic *signal* with three lamps;
bronze *horse* on a granite base; bus *shelter* with a cracked pane; fire *hydrant* painted red
fronts: the flank of a parked bus; a street-name post
movers: office workers in grey coats > stream over the stripes; a cyclist with a square bag > weaves through the cars

village square / street / out: a village square around a lime tree
things: three-tiered *fountain* with mossy bowls; war *memorial* in pale stone; café *table* with a checked cloth;
timbered town *hall* with a clock; baker's *van* with round lamps; iron *pump* with a long handle
fronts: a folded parasol; the trunk of the lime tree
movers: two old men in caps > throw bowls on the gravel; a brass band > marches past the town hall

rooftops / street / out: a flat roof high over the city
things: wooden water *tank* on steel legs; *row* of chimneys with clay caps; pigeon *loft* of grey planks; round
*skylight* with wired glass; satellite *dish* with a dent; folding *chair* beside a radio
fronts: a sagging clothes line; the edge of a lift house
movers: a woman in a yellow dress > hangs up sheets; a flock of pigeons > banks above the roofs

drive-in diner / street / out: a roadside diner on a desert highway
things: chrome *diner* with a neon arrow; teal *convertible* with white tyres; fuel *pump* with two hoses; tall *sign*
shaped like a cactus; rusty *pickup* on blocks; telephone *booth* with folding doors
fronts: a wooden hitching rail; a stack of old tyres
movers: a waitress on roller skates > carries a tray to the cars; a tumbleweed > bounces over the tarmac

forest clearing / nature / out: a clearing in a beech forest
things: fallen *trunk* covered with moss; *ring* of pale mushrooms; granite *boulder* split in two; wooden hunting
*stand* on stilts; young *birch* with yellow leaves; charcoal *mound* under turf
fronts: a curtain of fern fronds; the bark of a nearby trunk
movers: a roe deer > steps out of the shade and grazes; leaves > spin down from the crowns

mountain lake / nature / out: a mountain lake below scree slopes
things: wooden *jetty* with a missing plank; upturned rowing *boat*; stone *hut* with a turf roof; lone *pine* on a
rock; summit *cross* of weathered timber; tall *cairn* of flat stones
fronts: a tuft of cotton grass; a lichen-covered rock
movers: a hiker with a red pack > walks along the shore; a trout > breaks the surface and leaves rings

dunes / nature / out: a field of dunes by the sea
things: half-buried wooden *wreck*; snow *fence* with gaps; bleached *log* with a fork; white *lighthouse* with a red
band; concrete *bunker* sunk on one side; beach *chair* of wicker
fronts: a clump of marram grass; a ridge of wet sand
movers: a child with a kite > races along the crest; sand > streams off the ridges

canyon / nature / out: a red canyon with banded walls
things: balanced *rock* on a thin neck; dead *juniper* with silver wood; natural stone *arch*; shallow green *pool*;
old mine *cart* on a stub of rail; painted *panel* of handprints
fronts: an overhanging ledge; a spiny bush
movers: a rider on a pale horse > picks a way over the stones; a lizard > darts from crack to crack

vineyard / nature / out: a vineyard on a terraced slope
things: stone *tower* with a tiled cap; wooden *press* with a great screw; *stack* of picking baskets; old blue
*tractor* with narrow tyres; walnut *tree* by the wall; roadside *shrine* with a lamp
fronts: a row of vine leaves; a leaning stake
movers: three pickers with straw hats > work along a row; a dog > trots between the vines

waterfall / nature / out: a gorge with a double waterfall
things: rope *bridge* with grey slats; flat black *boulder* in the stream; leaning *alder* with bare roots; ruined
*mill* without a roof; iron *railing* at a lookout; mossy *stump* with steps cut in it
fronts: a wet fern; a rock face beaded with drops
movers: the falling water > breaks on the ledges into spray; a dipper > bobs on a stone

snow field / nature / out: a snow field at the edge of spruces
things: log *cabin* with icicles; wooden *sledge* with curved runners; snow-laden *spruce* standing alone; frozen
*trough* by a post; *stack* of split firewood; snow *figure* with a tin hat
fronts: a drift against a fence; a branch heavy with snow
movers: a team of huskies > hauls a sled over the rise; flakes > sink straight down in still air

garden / nature / out: a walled garden in full flower
things: *sundial* on a fluted column; rose *arch* of painted iron; stone *bench* with a lion's foot; glass *cloche*
over seedlings; clipped box *cone*; shallow *birdbath* on a turned stem
fronts: a mass of delphiniums; the bars of a gate
movers: a woman in a sun hat > cuts roses into a basket; bees > hover from bloom to bloom

marsh / nature / out: a reed marsh crossed by plank walks
things: thatched *hide* on posts; flat-bottomed *punt* with a pole; wind *pump* with canvas sails; heron-shaped
*decoy*; willow *stump* with new shoots; tide *gauge* striped in black
fronts: a stand of reeds; a leaning rail
movers: a pair of swans > glides along the channel; reed heads > sway in slow waves

orchard / nature / out: an apple orchard after the harvest
things: tall picking *ladder* of ash; *crate* of russet apples; beehive *box* painted yellow; mossy cider *mill*;
gnarled *tree* on a prop; *wheelbarrow* full of leaves
fronts: a low bough with three apples; a wire fence
movers: a horse with a white blaze > nuzzles the crates; two children > shake a branch

shipyard / industry / out: a shipyard slipway at low water
things: steel *hull* on timber blocks; *gantry* on four legs; bronze *propeller* with five blades; *pile* of curved
plates; welder's *cabin* on skids; *mast* lying on two trestles
fronts: a chain as thick as an arm; a stack of oil drums
movers: a welder behind a dark shield > throws a fan of sparks; a small tug > noses past the slip

foundry / industry / in: a foundry with a sand floor
things: bellied *furnace* lined with brick; *ladle* on an iron yoke; *row* of moulding boxes; cooling iron *wheel*
with spokes; pneumatic *hammer* on a block; tall *locker* with gloves on top
fronts: a leaning steel plate; the guard of a fan
movers: two founders in silver coats > pour glowing metal; sparks > scatter over the sand

warehouse / industry / in: a warehouse with steel shelving
things: yellow *forklift* with a cracked seat; *pallet* of blue barrels; scissor *platform* at half height; *roll* of
bubble wrap; wire *cage* of parcels; weighing *plate* set in the floor
fronts: an upright of the shelving; a strip curtain of clear plastic
movers: a worker in an orange vest > stacks boxes on a pallet; a sorting belt > carries parcels past the cage

railway yard / industry / out: a railway yard with a turntable
things: green diesel *shunter* with a striped nose; tank *wagon* with a ladder; signal *box* on brick arches; water
*crane* with a leather hose; *stack* of tarred sleepers; buffer *stop* painted red
fronts: a lever frame; a lamp on a short post
movers: a shunter with a hooked pole > walks beside the wagons; a coal wagon > clanks over the points

quarry / industry / out: a limestone quarry with three benches
things: crawler *excavator* with a toothed bucket; *conveyor* on spindly trestles; sawn *block* with drill marks; dump
*truck* with a dented tray; crusher *house* of corrugated iron; turquoise *pond* in the lowest pit
fronts: a heap of rubble; a warning board
movers: dust > billows off the crusher; a loader > tips stone into the hopper

power station / industry / in: a turbine hall with a travelling hoist
things: grey *turbine* the length of a bus; control *desk* with brass dials; spare *rotor* on a cradle; spiral oil
*cooler*; tool *trolley* with red drawers; glass-walled *cabin* on columns
fronts: a painted railing; a bundle of lagged pipes
movers: an engineer with a torch > checks the dials one by one; a needle > trembles on a gauge

airfield / industry / out: a small airfield with a grass strip
things: silver *biplane* with chocked wheels; fuel *bowser* on three axles; wooden control *tower*; striped *windsock*
on a mast; *engine* on a wheeled stand; canvas *hangar* with open flaps
fronts: a wing tip; a row of sandbags
movers: a mechanic in overalls > swings a propeller by hand; a glider > skims over the far hedge

container port / industry / out: a container port at the river mouth
things: straddle *carrier* on tall legs; *stack* of rusty containers; bulk *grab* with open jaws; pilot *launch* on a
cradle; checker's *hut* on stilts; *spool* of thick cable
fronts: a mesh fence; a bollard wound with rope
movers: a straddle carrier in the back row > lowers a box between the stacks; a barge > slides by with the current

sawmill / industry / out: a sawmill yard smelling of resin
things: band *saw* under a lean-to; *pyramid* of pine logs; kiln *shed* with steaming vents; sharpened *blade* on
pegs; bark *heap* taller than a man; narrow-gauge *wagon* with boards
fronts: a stack of planks; a chain hoist
movers: a man with a peavey > turns a log onto the ramp; sawdust > spurts from the cut
"""
